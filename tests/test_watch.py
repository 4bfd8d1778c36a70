"""A measure that acts on nothing says so: weights that move without a step that it saw."""

import contextlib
import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from kinds import EVERY, KINDS
from torch import nn
from torch.optim import SGD, Adam

from si_tutorial.importance import (
    ElasticWeightConsolidation,
    SynapticIntelligence,
)

AT_REST = pytest.mark.parametrize("kind", [k for k in KINDS if k is not SynapticIntelligence])
FORMS = pytest.mark.parametrize("form", [{"foreach": False}, {"foreach": True}, {"fused": True}],
                                ids=["loop", "foreach", "fused"])


def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(8, 4, generator=generator, dtype=torch.float64)
    return x, torch.randint(3, (8,), generator=generator)


def step(net, *optimizers, seed=0, extra=lambda: 0.0):
    x, y = batch(seed)
    net.zero_grad()
    (F.cross_entropy(net(x), y) + extra()).backward()
    for optimizer in optimizers:
        optimizer.step()


def train(net, *optimizers, steps=3, **settings):
    for seed in range(steps):
        step(net, *optimizers, seed=seed, **settings)


def after_one_task(kind, *, strength=1.0, optimizer=SGD):
    """A network, its optimizer, and a measure that has something to protect."""
    net = build()
    optimizer = optimizer(net.parameters(), lr=0.1)
    measure = kind(net, strength=strength).attach(optimizer)
    train(net, optimizer)
    return net, optimizer, measure.consolidate([batch(0)])


def flat(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def assert_refused(measure, match, do=None):
    """It raises, and nothing that the measure holds has changed."""
    before = measure.state_dict()
    with pytest.raises(RuntimeError, match=match):
        (do or (lambda: measure.consolidate([batch(0)])))()
    after = measure.state_dict()
    assert (before["tasks"], before["steps"]) == (after["tasks"], after["steps"])
    assert all(torch.equal(before[field][name], after[field][name])
               for field in measure._tensor_fields for name in before[field])


@pytest.fixture(autouse=True)
def _no_other_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


NOT_HELD = r"a gradient for '2.weight' and 1 other, but the optimizer .* does not hold it"


# ------------------------------------------------------------------------ the wrong optimizer

@EVERY
@FORMS
def test_a_new_optimizer_that_nobody_attached_to_is_noticed(kind, form):
    net, _, measure = after_one_task(kind)
    train(net, Adam(net.parameters(), lr=0.01, **form))
    assert_refused(measure, r"no step.*attach\(optimizer\)|no optimizer step was seen.*attach")


@EVERY
def test_attached_to_the_new_optimizer_all_is_well(kind):
    net, _, measure = after_one_task(kind)
    measure.detach().attach(new := Adam(net.parameters(), lr=0.01))
    train(net, new)
    assert measure.steps == 3 and measure.penalty() > 0
    assert measure.consolidate([batch(1)]).tasks == 2


@AT_REST
def test_so_is_an_optimizer_that_never_stepped_in_the_first_task(kind):
    net = build()
    measure = kind(net).attach(SGD(net.parameters(), lr=0.1))
    train(net, SGD(net.parameters(), lr=0.1))
    assert_refused(measure, "made no step")


@AT_REST
def test_weights_loaded_before_attaching_may_be_consolidated_without_a_step(kind):
    """The remedy that the message names."""
    net = build()
    measure = kind(net).attach(optimizer := SGD(net.parameters(), lr=0.1))
    with torch.no_grad():
        net[0].weight.add_(1.0)
    assert_refused(measure, "Load weights before you attach")
    assert measure.detach().attach(optimizer).consolidate([batch(0)]).tasks == 1


@EVERY
@FORMS
@pytest.mark.parametrize("task", [0, 1])
def test_a_second_optimizer_for_a_part_of_the_network_is_noticed(kind, form, task):
    """At the next step where its version counter tells, at the end of the task where not."""
    net = build()
    body, head = SGD(net[0].parameters(), lr=0.1), SGD(net[2].parameters(), lr=0.1, **form)
    measure = kind(net).attach(body)
    with pytest.warns(RuntimeWarning, match=NOT_HELD):
        if task == 1:
            train(net, body)
            measure.consolidate([batch(0)])
        step(net, body, head)
    if "fused" in form:
        step(net, body, head)
        assert_refused(measure, r"'2.weight' .* does not hold it: train all .* with one")
    else:
        x, y = batch(1)
        F.cross_entropy(net(x), y).backward()
        assert_refused(measure, r"'2.weight' .* does not hold it: train all", body.step)


@EVERY
def test_the_measure_of_a_part_is_content_with_that_parts_optimizer(kind):
    """The remedy that the message names."""
    net = build()
    body, head = SGD(net[0].parameters(), lr=0.1), SGD(net[2].parameters(), lr=0.1)
    measure = kind(net[0]).attach(body)
    for _ in range(2):
        train(net, body, head)
        measure.consolidate([batch(0)], forward=net)
    assert measure.tasks == 2 and measure.importance["weight"].any()


@AT_REST
def test_an_observer_that_measures_at_the_end_does_not_mind_two_optimizers(kind):
    net = build()
    optimizers = [SGD(layer.parameters(), lr=0.1) for layer in (net[0], net[2])]
    measure = kind(net, strength=0).attach(optimizers[0])
    train(net, *optimizers)
    assert measure.consolidate([batch(0)]).tasks == 1


@EVERY
def test_a_second_optimizer_for_the_same_weights_is_noticed_once(kind):
    net, optimizer, measure = after_one_task(kind)
    other = SGD(net.parameters(), lr=0.1)
    step(net, optimizer, other)
    if kind is SynapticIntelligence:
        assert_refused(measure, "'0.weight' is not as this object last saw", optimizer.step)
        return
    with pytest.warns(RuntimeWarning, match="'0.weight' was changed after 1 step of task 2"):
        step(net, optimizer, other)
    train(net, optimizer, other)  # and no other warning


@EVERY
@pytest.mark.parametrize("frozen", [True, False])
def test_what_nobody_moves_need_not_be_held(kind, frozen):
    """Also if it is written to, with the values that it had."""
    net = build()
    net[2].requires_grad_(not frozen)
    optimizer = SGD(net[0].parameters(), lr=0.1)
    measure = kind(net).attach(optimizer)
    with contextlib.nullcontext() if frozen else pytest.warns(RuntimeWarning, match=NOT_HELD):
        step(net, optimizer)
    for _ in range(2):
        train(net, optimizer)
        with torch.no_grad():
            net[2].weight.copy_(net[2].weight.clone())
    assert measure.consolidate([batch(0)]).tasks == 1


# ----------------------------------------------------------------- optimizers that wrap another

class Bare(torch.optim.Optimizer):
    """Wraps another without calling `Optimizer.__init__`."""

    def __init__(self, inner):
        self.inner, self.param_groups = inner, inner.param_groups

    def step(self, closure=None):
        self.inner.step()


class Plain:
    """Wraps another and is no `Optimizer` at all."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def step(self):
        self.inner.step()


class Lookahead(torch.optim.Optimizer):
    """Two inner steps, then half-way back: as it should be written."""

    def __init__(self, inner):
        super().__init__(inner.param_groups, {})
        self.inner = inner

    @torch.no_grad()
    def step(self, closure=None):
        slow = [p.clone() for group in self.param_groups for p in group["params"]]
        self.inner.step()
        self.inner.step()
        for p, start in zip((p for g in self.param_groups for p in g["params"]), slow, strict=True):
            p.lerp_(start, 0.5)


@EVERY
@pytest.mark.parametrize("wrapper", [Bare, Plain])
def test_an_optimizer_that_runs_no_hooks_is_refused_and_the_inner_one_serves(kind, wrapper):
    net = build()
    wrapped = wrapper(SGD(net.parameters(), lr=0.1))
    with pytest.raises(TypeError, match=f"{wrapper.__name__} runs no step hooks.*it wraps"):
        kind(net).attach(wrapped)
    measure = kind(net).attach(wrapped.inner)
    train(net, wrapped)
    measure.consolidate([batch(0)])
    train(net, wrapped)
    assert measure.steps == 3 and measure.penalty() > 0


def test_two_inner_steps_are_one_step_of_the_optimizer_around_them():
    """ω is −g · Δθ over the whole; the inner optimizer is shown the penalty in both."""
    net, plain = build(), build()
    optimizers = [Lookahead(SGD(n.parameters(), lr=0.1)) for n in (net, plain)]
    si = SynapticIntelligence(net).attach(optimizers[0])
    for seed in range(3):
        before = net[0].weight.detach().clone()
        omega = si.path_integral["0.weight"].clone()
        step(net, optimizers[0], seed=seed)
        omega -= net[0].weight.grad * (net[0].weight.detach() - before)
        torch.testing.assert_close(si.path_integral["0.weight"], omega)
        step(plain, optimizers[1], seed=seed)
    assert torch.equal(flat(net), flat(plain)) and si.steps == 3
    si.consolidate()
    for n, optimizer in zip((net, plain), optimizers, strict=True):
        train(n, optimizer)
    assert not torch.allclose(flat(net), flat(plain))


@EVERY
def test_what_is_done_around_the_inner_steps_is_noticed(kind):
    net = build()
    optimizer = Lookahead(SGD(net.parameters(), lr=0.1))
    measure = kind(net).attach(optimizer.inner)
    step(net, optimizer)
    assert measure.steps == 2
    if kind is SynapticIntelligence:
        assert_refused(measure, "written to outside the steps", optimizer.step)
    else:
        with pytest.warns(RuntimeWarning, match="was changed after 2 steps of task 1"):
            step(net, optimizer)


# -------------------------------------------------------- weights changed outside the optimizer

@torch.no_grad()
def load(net):
    net.load_state_dict({name: p + 0.1 for name, p in net.state_dict().items()})


@torch.no_grad()
def clip(net):
    for p in net.parameters():
        p.clamp_(-0.1, 0.1)


@torch.no_grad()
def average(net):
    for p, other in zip(net.parameters(), build().parameters(), strict=True):
        p.lerp_(other, 0.5)


@torch.no_grad()
def replace_data(net):
    nn.utils.vector_to_parameters(torch.zeros_like(flat(net)), net.parameters())


WRITES = pytest.mark.parametrize("write", [load, clip, average, replace_data])


@WRITES
@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("task", [0, 1])
def test_si_refuses_what_no_account_holds(write, strength, task):
    """At the next step, and before `consolidate`, in the first task and later; never silently."""
    for last in (False, True):
        net, optimizer, si = after_one_task(SynapticIntelligence, strength=strength)
        if task == 0:
            si.detach()
            si = SynapticIntelligence(net, strength=strength).attach(optimizer)
        step(net, optimizer, seed=1)
        write(net)
        assert_refused(si, "is not as this object last saw it", None if last else optimizer.step)


@WRITES
def test_si_refuses_it_between_two_tasks_too(write):
    net, optimizer, si = after_one_task(SynapticIntelligence)
    write(net)
    assert_refused(si, "is not as this object last saw it", optimizer.step)
    si.detach()
    assert_refused(si.attach(SGD(net.parameters(), lr=0.1)), "last saw", si.optimizer.step)


@WRITES
def test_before_the_first_step_anything_may_be_written(write):
    net = build()
    optimizer = SGD(net.parameters(), lr=0.1)
    si = SynapticIntelligence(net).attach(optimizer)
    write(net)
    train(net, optimizer)
    assert si.consolidate().tasks == 1


@EVERY
def test_so_may_what_the_optimizer_does_not_hold(kind):
    net = build()
    optimizer = SGD(net[0].parameters(), lr=0.1)
    measure = kind(net).attach(optimizer)
    load(net)
    with pytest.warns(RuntimeWarning, match=NOT_HELD):
        train(net, optimizer)
    assert measure.consolidate([batch(0)]).tasks == 1


@AT_REST
@WRITES
def test_measures_at_rest_take_the_weights_as_they_are(kind, write):
    """The best weights, loaded before `consolidate`, are the ones that are measured and kept."""
    net, optimizer, measure = after_one_task(kind)
    train(net, optimizer)
    write(net)
    measure.consolidate([batch(0)])
    alone = kind(net).consolidate([batch(0)])
    if kind is not ElasticWeightConsolidation:
        assert torch.equal(measure.anchor["0.weight"], net[0].weight)
    assert (measure.importance["0.weight"] >= alone.importance["0.weight"]).all()


def test_clipping_in_a_hook_of_the_step_belongs_to_the_step():
    """The remedy that the message names: ω holds what the clipping did."""
    net = build()
    optimizer = SGD(net.parameters(), lr=0.5)
    optimizer.register_step_post_hook(lambda *_: clip(net))
    si = SynapticIntelligence(net).attach(optimizer)
    omega = torch.zeros_like(net[2].bias)
    for seed in range(4):
        before = net[2].bias.detach().clone()
        step(net, optimizer, seed=seed)
        omega -= net[2].bias.grad * (net[2].bias.detach() - before)
    assert net[2].bias.abs().max() == 0.1
    torch.testing.assert_close(si.path_integral["2.bias"], omega)
    assert si.consolidate().tasks == 1


def test_averaged_weights_are_evaluated_in_a_copy():
    """The remedy that the message names."""
    net, optimizer, si = after_one_task(SynapticIntelligence)
    for seed in range(3):
        step(net, optimizer, seed=seed)
        other = copy.deepcopy(net)
        average(other)
        other(batch(0)[0])
    assert si.consolidate().tasks == 2


@pytest.mark.parametrize("order", [0, 1])
def test_the_best_weights_come_back_together_with_their_accounts(order):
    """The remedy that the message names, whichever is loaded first."""
    net, optimizer, si = after_one_task(SynapticIntelligence)
    step(net, optimizer)
    best = copy.deepcopy((net.state_dict(), si.state_dict()))
    train(net, optimizer)
    for thing, state in list(zip((net, si), best, strict=True))[::-1 if order else 1]:
        thing.load_state_dict(state)
    expected = si.path_integral["0.weight"].clone()
    assert torch.equal(expected, best[1]["path_integral"]["0.weight"])
    assert si.consolidate().tasks == 2


def test_one_without_the_other_is_refused():
    net, optimizer, si = after_one_task(SynapticIntelligence)
    step(net, optimizer)
    state = si.state_dict()
    train(net, optimizer)
    si.load_state_dict(state)
    assert_refused(si, "load the network's")
    assert_refused(si, "load the network's", optimizer.step)


@EVERY
def test_an_interrupted_step_is_credited_as_far_as_it_came(kind):
    class Half(torch.optim.Optimizer):
        fails = False

        def __init__(self, params):
            super().__init__(params, {})

        @torch.no_grad()
        def step(self, closure=None):
            for i, p in enumerate(self.param_groups[0]["params"]):
                if self.fails and i == 2:
                    raise KeyboardInterrupt
                p.sub_(p.grad, alpha=0.1)

    net = build()
    optimizer = Half(net.parameters())
    measure = kind(net).attach(optimizer)
    step(net, optimizer)
    omega = {n: t.clone() for n, t in getattr(measure, "path_integral", {}).items()}
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    optimizer.fails = True
    with pytest.raises(KeyboardInterrupt):
        step(net, optimizer, seed=1)
    measure.detach().attach(optimizer)
    for name, p in net.named_parameters():
        if omega:
            torch.testing.assert_close(measure.path_integral[name], omega[name]
                                       - p.grad * (p.detach() - before[name]))
    optimizer.fails = False
    train(net, optimizer)
    assert measure.consolidate([batch(0)]).tasks == 1


# ------------------------------------------------------------------------ attached to nothing

@AT_REST
@pytest.mark.parametrize("looked_at", [True, False])
def test_a_penalty_that_never_acted_is_told_at_the_next_consolidation(kind, looked_at):
    net, optimizer, measure = after_one_task(kind)
    measure.detach()
    train(net, optimizer)
    if looked_at:
        assert measure.penalty() > 0
    with pytest.warns(RuntimeWarning, match=r"attached to no optimizer.*Call attach\(optimizer\)"):
        measure.consolidate([batch(1)])


@AT_REST
def test_a_penalty_in_the_loss_has_acted(kind):
    net, optimizer, measure = after_one_task(kind)
    measure.detach()
    train(net, optimizer, extra=measure.penalty)
    assert measure.consolidate([batch(1)]).tasks == 2
    train(net, optimizer)
    with pytest.warns(RuntimeWarning, match="attached to no optimizer"):
        measure.consolidate([batch(1)])  # not in the third task


@AT_REST
@pytest.mark.parametrize(("strength", "tasks"), [(0, 2), (1, 1)])
def test_who_only_measures_is_told_nothing(kind, strength, tasks):
    """Without a strength, or while there is nothing to protect."""
    net = build()
    measure, optimizer = kind(net, strength=strength), SGD(net.parameters(), lr=0.1)
    for _ in range(tasks):
        train(net, optimizer)
        measure.consolidate([batch(0)])
    assert measure.consolidate([batch(0)]).tasks == tasks + 1  # nothing moved since


@EVERY
def test_attached_the_penalty_counts_once_also_if_it_is_added_to_the_loss(kind):
    paths = []
    for added in (False, True):
        net, optimizer, measure = after_one_task(kind)
        train(net, optimizer, extra=measure.penalty if added else lambda: 0.0)
        assert not measure.penalty().requires_grad and measure.penalty() > 0
        paths.append(flat(net))
    assert torch.equal(*paths)
    assert measure.detach().penalty().requires_grad


# -------------------------------------------------------------------- another dtype than before

@EVERY
@pytest.mark.parametrize("change", [nn.Module.float, nn.Module.half, nn.Module.bfloat16])
def test_a_network_in_another_dtype_is_refused_in_the_same_words_everywhere(kind, change):
    words = "'0.weight' is now torch.* but was torch.float64 on cpu .* move the network first"
    net, optimizer, measure = after_one_task(kind)
    change(net)
    assert_refused(measure, words)
    assert_refused(measure, words, optimizer.step)
    assert_refused(measure.detach(), words, lambda: measure.attach(optimizer))


# --------------------------------------------------------------- new, and in no optimizer's hands

def with_new_head(kind, **settings):
    """A first task is over, and the network has another head."""
    torch.manual_seed(0)
    net = nn.ModuleDict({"body": nn.Linear(4, 5), "old": nn.Linear(5, 3)}).double()
    optimizer = SGD(net.parameters(), lr=0.1)
    measure = kind(net, strength=0.1, **settings).attach(optimizer)
    learn(net, "old", optimizer)
    measure.consolidate([batch(0)], forward=lambda x: net["old"](net["body"](x)))
    net["new"] = nn.Linear(5, 3).double()
    measure.sync_parameters()
    return net, optimizer, measure


def learn(net, head, optimizer):
    for seed in range(2):
        x, y = batch(seed)
        optimizer.zero_grad()
        F.cross_entropy(net[head](net["body"](x)), y).backward()
        optimizer.step()


@EVERY
def test_a_new_head_that_no_optimizer_holds_is_told_once(kind):
    net, optimizer, measure = with_new_head(kind)
    with pytest.warns(RuntimeWarning, match=r"gradient for 'new.weight' and 1 other, .*"
                                            r"add_param_group, and freeze what") as caught:
        learn(net, "new", optimizer)
    assert len(caught) == 1 and measure.steps == 2


@EVERY
@pytest.mark.parametrize("remedy", [
    lambda net, optimizer: optimizer.add_param_group({"params": net["new"].parameters()}),
    lambda net, optimizer: net["new"].requires_grad_(False)], ids=["added", "frozen"])
def test_each_remedy_that_it_names_is_one(kind, remedy):
    net, optimizer, measure = with_new_head(kind)
    remedy(net, optimizer)
    learn(net, "new", optimizer)
    assert measure.steps == 2


@EVERY
def test_who_trains_the_body_and_the_new_head_alone_hears_nothing_of_the_old_one(kind):
    """Its last gradient is still there, but it has learned what it should."""
    net, _, measure = with_new_head(kind)
    assert net["old"].weight.grad is not None
    new = SGD([*net["body"].parameters(), *net["new"].parameters()], lr=0.1)
    measure.detach().attach(new)
    learn(net, "new", new)
    assert measure.consolidate([batch(1)], forward=lambda x: net["new"](net["body"](x))).tasks == 2


@EVERY
def test_a_new_head_whose_turn_has_not_come_is_no_reason_to_speak(kind):
    """It has no gradient yet, and an optimizer may get it later."""
    net, optimizer, measure = with_new_head(kind)
    learn(net, "old", optimizer)
    assert net["new"].weight.grad is None and measure.steps == 2


@EVERY
def test_who_protects_the_body_alone_hears_nothing_of_a_new_head(kind):
    net, optimizer, measure = with_new_head(kind, protect="body")
    learn(net, "new", optimizer)
    assert measure.steps == 2


# ---------------------------------------------------------------------------- NaN, in training

@EVERY
@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("lost", [1, 2, 3, 6])
def test_nan_is_told_at_the_next_step_that_is_a_power_of_two(kind, strength, lost):
    net, optimizer, measure = after_one_task(kind, strength=strength)
    told = 1 << (lost - 1).bit_length()
    with pytest.raises(FloatingPointError, match=rf"'0\.weight' .* of 20 places after {told} "
                                                 r"steps? of task 2"):
        for i in range(1, 20):
            step(net, optimizer, extra=lambda i=i: net[0].weight[0, 0] * (
                float("nan") if i == lost else 0.0))
    assert measure.steps == told
