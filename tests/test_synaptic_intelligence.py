"""The laws of Synaptic Intelligence, each checked against a twin written straight from the paper.

The twin takes the surrogate loss L + c Σ Ω (θ̃ − θ)² literally, differentiates it by autograd, and
keeps ω by snapshots of the parameters. It knows nothing of optimizer hooks.
"""

import io
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RMSprop

from si_tutorial.importance import SynapticIntelligence

STRENGTH, DAMPING = 0.3, 1e-2


class Twin:
    """SI in loss form: obvious, slow, and without any code in common with the package."""

    def __init__(self, network, optimizer):
        self.named = dict(network.named_parameters())
        trained = {n: p for n, p in self.named.items() if p.requires_grad}
        self.optimizer = optimizer
        self.sign = -1 if optimizer.param_groups[0].get("maximize") else 1
        self.omega = {n: torch.zeros_like(p) for n, p in trained.items()}
        self.importance = {n: torch.zeros_like(p) for n, p in trained.items()}
        self.anchor = {n: p.detach().clone() for n, p in trained.items()}

    def step(self, loss, *, keep_zeros=False, clip_at=None):
        trained = {n: p for n, p in self.named.items() if p.requires_grad}
        task_grads = dict(zip(trained, torch.autograd.grad(
            loss, list(trained.values()), allow_unused=True), strict=True))
        penalty = sum(STRENGTH * (self.importance[n] * (self.anchor[n] - p) ** 2).sum()
                      for n, p in trained.items())
        pulls = dict(zip(trained, torch.autograd.grad(penalty, list(trained.values())),
                         strict=True))
        for name, p in trained.items():  # a head without a gradient stays out of the step
            if task_grads[name] is None and keep_zeros and p.grad is not None:
                task_grads[name] = torch.zeros_like(p)
        if clip_at is not None:
            norm = torch.cat([g.flatten() for g in task_grads.values() if g is not None]).norm()
            scale = min(1.0, clip_at / (norm.item() + 1e-6))
            task_grads = {n: None if g is None else g * scale for n, g in task_grads.items()}
        before = {n: p.detach().clone() for n, p in trained.items()}
        for name, p in trained.items():
            g = task_grads[name]
            p.grad = None if g is None else self.sign * (g + pulls[name])
        self.optimizer.step()
        for name, p in trained.items():
            if task_grads[name] is not None:
                self.omega[name] -= task_grads[name] * (p.detach() - before[name])

    def consolidate(self):
        for name in self.omega:
            p = self.named[name]
            displacement = p.detach() - self.anchor[name]
            self.importance[name] += self.omega[name] / (displacement**2 + DAMPING)
            self.importance[name].clamp_(min=0)
            self.anchor[name] = p.detach().clone()
            self.omega[name] = torch.zeros_like(p)


def batches(tasks=3, steps=4, seed=1):
    """For each task a list of (x, y); labels follow the images, so that there is much to learn."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(tasks):
        x = torch.randn(steps, 8, 1, 6, 6, generator=generator, dtype=torch.float64)
        direction = torch.randn(36, generator=generator, dtype=torch.float64)
        yield list(zip(x, (x.flatten(2) @ direction > 0).long(), strict=True))


def si_for(network, optimizer, **settings):
    settings = {"strength": STRENGTH, "damping": DAMPING} | settings
    return SynapticIntelligence(network, **settings).attach(optimizer)


def assert_equal_dicts(mine, theirs, tolerance=1e-12):
    assert mine.keys() == theirs.keys()
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], rtol=tolerance, atol=tolerance,
                                   msg=lambda m, name=name: f"{name}: {m}")


def assert_follows_twin(networks, optimizer_for, *, train=None, keep_zeros=False, clip_at=None,
                        loss_of=F.cross_entropy, **settings):
    """Train two equal networks on three tasks, one by the hooks and one by the twin."""
    network, other = networks
    optimizer = optimizer_for(network)
    si, twin = si_for(network, optimizer, **settings), Twin(other, optimizer_for(other))
    for task, steps in enumerate(batches()):
        for x, y in steps:
            optimizer.zero_grad(set_to_none=not keep_zeros)
            (twin.sign * loss_of(network(x, task), y)).backward()
            if clip_at is not None:
                nn.utils.clip_grad_norm_(network.parameters(), clip_at)
            optimizer.step()
            twin.step(loss_of(other(x, task), y), keep_zeros=keep_zeros, clip_at=clip_at)
        assert_equal_dicts(dict(network.named_parameters()), twin.named)
        assert_equal_dicts(si.path_integral, twin.omega)
        si.consolidate()
        twin.consolidate()
        assert_equal_dicts(si.importance, twin.importance)
        assert_equal_dicts(si.anchor, twin.anchor)
    assert sum(o.sum() for o in si.importance.values()) > 0


OPTIMIZERS = {
    "SGD": partial(SGD, lr=0.1),
    "SGD fused": partial(SGD, lr=0.1, fused=True),
    "SGD weight decay": partial(SGD, lr=0.1, weight_decay=0.01),
    "SGD momentum": partial(SGD, lr=0.05, momentum=0.9, foreach=False),
    "SGD momentum foreach": partial(SGD, lr=0.05, momentum=0.9, foreach=True),
    "SGD dampening": partial(SGD, lr=0.05, momentum=0.9, dampening=0.5),
    "Nesterov": partial(SGD, lr=0.05, momentum=0.9, nesterov=True, foreach=False),
    "Nesterov foreach": partial(SGD, lr=0.05, momentum=0.9, nesterov=True, foreach=True),
    "SGD maximize": partial(SGD, lr=0.05, momentum=0.9, maximize=True, weight_decay=0.01),
    "SGD maximize foreach": partial(SGD, lr=0.05, momentum=0.9, maximize=True,
                                    weight_decay=0.01, foreach=True),
    "Adam": partial(Adam, lr=0.01, foreach=False),
    "Adam foreach": partial(Adam, lr=0.01, foreach=True),
    "Adam fused": partial(Adam, lr=0.01, fused=True),
    "Adam weight decay": partial(Adam, lr=0.01, weight_decay=0.01),
    "Adam amsgrad": partial(Adam, lr=0.01, amsgrad=True),
    "Adam maximize fused": partial(Adam, lr=0.01, maximize=True, fused=True),
    "AdamW": partial(AdamW, lr=0.01, foreach=False),
    "AdamW foreach": partial(AdamW, lr=0.01, foreach=True),
    "AdamW fused": partial(AdamW, lr=0.01, fused=True),
    "RMSprop": partial(RMSprop, lr=0.003, foreach=False),
    "RMSprop foreach": partial(RMSprop, lr=0.003, momentum=0.9, centered=True, foreach=True),
    "NAdam": partial(NAdam, lr=0.01, foreach=False),
    "NAdam foreach": partial(NAdam, lr=0.01, foreach=True),
    "Adagrad": partial(Adagrad, lr=0.05, foreach=False),
    "Adagrad foreach": partial(Adagrad, lr=0.05, foreach=True),
    "Adagrad fused": partial(Adagrad, lr=0.05, fused=True),
    "Adadelta": partial(Adadelta, lr=1.0, foreach=False),
    "Adadelta foreach": partial(Adadelta, lr=1.0, foreach=True),
    "Adamax": partial(Adamax, lr=0.01),
}
SOME = pytest.mark.parametrize("name", ["SGD momentum", "Nesterov foreach", "Adam fused"])


def over_all(name):
    return lambda network: OPTIMIZERS[name](network.parameters())


# ------------------------------------------------------------------ hook form equals loss form

@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_hooks_do_what_the_surrogate_loss_says(conv, name):
    assert_follows_twin((conv(), conv()), over_all(name))


@SOME
def test_tied_weights_count_once(conv, name):
    networks = conv(tied=True), conv(tied=True)
    assert sum("body.5.weight" in n or "body.7.weight" in n
               for n, _ in networks[0].named_parameters()) == 1
    assert_follows_twin(networks, over_all(name))


@SOME
def test_frozen_layers_stay_out_of_it(conv, name):
    networks = conv(), conv()
    for network in networks:
        network.body[0].requires_grad_(False)
    assert_follows_twin(networks, over_all(name))


@SOME
def test_groups_with_settings_of_their_own_are_followed(conv, name):
    def optimizer_for(network):
        return OPTIMIZERS[name]([
            {"params": network.body.parameters(), "weight_decay": 0.01},
            {"params": network.heads.parameters(), "lr": 0.02}])
    assert_follows_twin((conv(), conv()), optimizer_for)


@SOME
def test_gradients_set_to_zero_instead_of_none_are_followed(conv, name):
    assert_follows_twin((conv(), conv()), over_all(name), keep_zeros=True)


@SOME
def test_what_clipping_leaves_counts_as_the_task_gradient_and_the_pull_is_not_clipped(conv, name):
    assert_follows_twin((conv(), conv()), over_all(name), clip_at=0.05)


@SOME
def test_accumulated_gradients_count_as_one(conv, name):
    network, other = conv(), conv()
    optimizer = over_all(name)(network)
    si, twin = si_for(network, optimizer), Twin(other, over_all(name)(other))
    for task, steps in enumerate(batches()):
        for pair in (steps[:2], steps[2:]):
            optimizer.zero_grad()
            for x, y in pair:
                F.cross_entropy(network(x, task), y).backward()
            optimizer.step()
            twin.step(sum(F.cross_entropy(other(x, task), y) for x, y in pair))
        assert_equal_dicts(si.path_integral, twin.omega)
        si.consolidate()
        twin.consolidate()
    assert_equal_dicts(si.importance, twin.importance)


def test_a_learning_rate_schedule_is_followed(conv):
    def optimizer_for(network):
        optimizer = SGD(network.parameters(), lr=0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)
        optimizer.register_step_post_hook(lambda *_: schedule.step())
        return optimizer
    assert_follows_twin((conv(), conv()), optimizer_for)


@pytest.mark.parametrize("name", ["SGD momentum", "Adam", "Adam foreach"])
def test_adding_penalty_to_the_loss_takes_the_same_steps(conv, name):
    """penalty(), differentiated by autograd in the loop of another, is what the hooks add."""
    network, other = conv(2), conv(2)
    optimizer, plain = over_all(name)(network), over_all(name)(other)
    si = si_for(network, optimizer)
    twin_penalty = SynapticIntelligence(other, strength=STRENGTH)
    for steps in batches():
        for x, y in steps:
            for net, opt in ((network, optimizer), (other, plain)):
                opt.zero_grad()
                loss = F.cross_entropy(net(x), y)
                (loss if net is network else loss + twin_penalty.penalty()).backward()
                opt.step()
        assert_equal_dicts(dict(network.named_parameters()), dict(other.named_parameters()))
        si.consolidate()
        twin_penalty.load_state_dict(si.state_dict())


@pytest.mark.parametrize("name", ["SGD momentum", "SGD momentum foreach", "Adam", "Adam fused"])
def test_maximising_minus_the_loss_is_minimising_the_loss_bit_by_bit(conv, name):
    runs = []
    for sign in (1, -1):
        network = conv()
        optimizer = OPTIMIZERS[name](network.parameters(), maximize=sign < 0)
        si = si_for(network, optimizer)
        for task, steps in enumerate(batches()):
            for x, y in steps:
                optimizer.zero_grad()
                (sign * F.cross_entropy(network(x, task), y)).backward()
                optimizer.step()
            omega = {n: o.clone() for n, o in si.path_integral.items()}
            si.consolidate()
        runs.append((dict(network.named_parameters()), omega, si.importance))
    for minimised, maximised in zip(*runs, strict=True):
        assert all(torch.equal(minimised[n], maximised[n]) for n in minimised)


# ------------------------------------------------------------------- what ω and Ω must be

def run(network, optimizer, si=None, *, tasks=3, loss_of=F.cross_entropy):
    for task, steps in enumerate(batches(tasks)):
        for x, y in steps:
            optimizer.zero_grad()
            loss_of(network(x, task), y).backward()
            optimizer.step()
        if si is not None:
            si.consolidate()
    return {n: p.detach().clone() for n, p in network.named_parameters()}


def smooth_problem():
    """A network without kinks, and the full-batch loss of it."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    x, y = torch.randn(30, 5, dtype=torch.float64), torch.randint(0, 3, (30,))
    return network, lambda: F.cross_entropy(network(x), y)


@pytest.mark.parametrize("optimizer_for", [SGD, partial(SGD, momentum=0.5)],
                         ids=["SGD", "momentum"])
def test_the_sum_of_omega_misses_the_drop_of_the_loss_by_an_error_in_proportion_to_lr(
        optimizer_for):
    errors = []
    for lr, steps in ((0.1, 20), (0.01, 200), (0.001, 2000)):
        network, loss = smooth_problem()
        optimizer = optimizer_for(network.parameters(), lr=lr)
        si = SynapticIntelligence(network, strength=1.0).attach(optimizer)
        start = loss().item()
        for _ in range(steps):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
        drop = start - loss().item()
        assert drop > 0.05
        errors.append(abs(sum(o.sum().item() for o in si.path_integral.values()) - drop) / drop)
    assert 7 < errors[0] / errors[1] < 13
    assert 9 < errors[1] / errors[2] < 11


def test_after_one_task_importance_is_positive_and_the_next_task_runs_differently(conv):
    """Where snapshots are aliases of the live weights, SI does nothing, and says nothing."""
    after = {}
    for strength in (0.0, 1.0):
        network = conv(2)
        optimizer = SGD(network.parameters(), lr=0.1)
        si = si_for(network, optimizer, strength=strength)
        after[strength, 1] = run(network, optimizer, si, tasks=1)
        assert all(o.max() > 0 for o in si.importance.values())
        after[strength, 2] = run(network, optimizer, tasks=1)
    assert all(torch.equal(after[0.0, 1][n], after[1.0, 1][n]) for n in after[0.0, 1])
    assert all(not torch.equal(after[0.0, 2][n], after[1.0, 2][n]) for n in after[0.0, 2])


class Weights(nn.Module):
    """Two numbers, moved by gradients that a test writes down."""

    def __init__(self, start=(0.0, 0.0), **settings):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(start, dtype=torch.float64))
        self.optimizer = SGD(self.parameters(), lr=0.1, **settings)

    def step(self, *grad):
        self.w.grad = torch.tensor(grad, dtype=torch.float64)
        self.optimizer.step()


def close(tensor, expected):
    return tensor.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_omega_credits_the_update_that_was_made_and_may_be_negative():
    weights = Weights(momentum=0.9)
    si = SynapticIntelligence(weights, strength=1.0).attach(weights.optimizer)
    weights.step(1.0, 1.0)   # updates −.1 and −.1: credits .1 and .1
    weights.step(-0.5, 0.0)  # buffers .4 and .9, updates −.04 and −.09: credits −.02 and 0
    assert close(si.path_integral["w"], [0.08, 0.1])
    weights.step(-3.0, 0.0)  # buffer −2.64, update +.264: credit +.792
    weights.step(2.0, 0.0)   # buffer −.376, update +.0376: credit −.0752
    assert close(si.path_integral["w"], [0.08 + 0.792 - 0.0752, 0.1])
    weights.step(8.0, -1.0)  # buffers 7.6616 and −.3439, updates −.76616 and +.03439
    assert si.path_integral["w"][0] > 6
    weights.step(-8.0, 0.0)
    assert close(si.path_integral["w"][1:], [0.1 + 0.03439])


def test_omega_below_zero_is_kept_until_the_end_of_the_task():
    weights = Weights(momentum=0.9)
    si = SynapticIntelligence(weights, strength=1.0).attach(weights.optimizer)
    weights.step(1.0, 0.0)
    weights.step(-0.5, 0.0)
    weights.step(-0.3, 0.0)  # buffer .06, credit −.0018
    si.path_integral["w"].sub_(0.1)
    weights.step(0.0, 0.0)
    assert close(si.path_integral["w"], [-0.0218, -0.1])


def test_consolidation_divides_by_the_squared_displacement_and_starts_afresh():
    weights = Weights(start=(1.0, 1.0))
    si = SynapticIntelligence(weights, strength=0.1, damping=0.25).attach(weights.optimizer)
    weights.step(5.0, -10.0)  # Δ = −.5 and +1, ω = 2.5 and 10
    assert si.tasks == 0 and si.steps == 1
    assert si.consolidate() is si
    assert close(si.importance["w"], [2.5 / 0.5, 10 / 1.25])
    assert close(si.anchor["w"], [0.5, 2.0])
    assert close(si.path_integral["w"], [0.0, 0.0])
    assert si.tasks == 1 and si.steps == 0
    weights.step(0.0, 5.0)    # at the anchor there is no pull: Δ = −.5, ω = 2.5
    si.consolidate()
    assert close(si.importance["w"], [5.0, 8.0 + 5.0])
    assert close(si.anchor["w"], [0.5, 1.5])


def test_the_anchor_and_the_accounts_do_not_move_with_the_weights():
    weights = Weights()
    si = SynapticIntelligence(weights, strength=1.0).attach(weights.optimizer)
    weights.step(1.0, 2.0)
    si.consolidate()
    kept = {f: getattr(si, f)["w"].clone() for f in ("anchor", "importance")}
    weights.step(1.0, 2.0)
    assert all(torch.equal(getattr(si, f)["w"], value) for f, value in kept.items())


def test_the_first_task_is_anchored_where_its_first_step_begins():
    weights = Weights(start=(0.0, 0.0))
    si = SynapticIntelligence(weights, strength=1.0, damping=0.0).attach(weights.optimizer)
    with torch.no_grad():
        weights.w.fill_(7.0)  # weights loaded after the object was built
    weights.step(1.0, 2.0)
    assert close(si.anchor["w"], [7.0, 7.0])
    si.consolidate()
    assert si.importance["w"].tolist() == pytest.approx([10.0, 10.0])  # lr g² / (lr g)² = 1/lr


@pytest.mark.parametrize(("clip", "first", "second"), [
    ("cumulative", [3.0, 0.0, 1.0], [2.0, 2.0, 0.0]),  # max(0, ·) after each sum
    ("per_task", [3.0, 0.0, 1.0], [3.0, 2.0, 1.0]),    # max(0, ·) of each share
    ("none", [3.0, -1.0, 1.0], [2.0, 1.0, -3.0])])
def test_each_choice_of_clipping_does_what_it_says(clip, first, second):
    weights = Weights(start=(0.0, 0.0, 0.0))
    si = SynapticIntelligence(weights, damping=1.0, clip=clip).attach(weights.optimizer)
    for shares, expected in (([3.0, -1.0, 1.0], first), ([-1.0, 2.0, -4.0], second)):
        weights.step(0.0, 0.0, 0.0)
        si.path_integral["w"].copy_(torch.tensor(shares))  # Δ = 0, ξ = 1: share = ω
        si.consolidate()
        assert close(si.importance["w"], expected)
        assert torch.equal(si.path_integral["w"], torch.zeros(3, dtype=torch.float64))


def test_clipping_as_the_authors_do_is_the_default():
    assert SynapticIntelligence(Weights()).clip == "cumulative"


def test_a_weight_that_neither_moved_nor_earned_gets_no_importance_even_without_damping():
    weights = Weights()
    si = SynapticIntelligence(weights, damping=0.0).attach(weights.optimizer)
    weights.step(2.0, 0.0)
    si.consolidate()
    assert close(si.importance["w"], [10.0, 0.0])


def test_a_head_without_a_gradient_contributes_exactly_zero(conv):
    network = conv([2, 2])
    optimizer = Adam(network.parameters())
    si = si_for(network, optimizer)
    run(network, optimizer, tasks=1)
    assert si.path_integral["heads.0.weight"].any()
    assert not si.path_integral["heads.1.weight"].any()
    si.consolidate()
    assert not si.importance["heads.1.weight"].any()


def test_what_is_kept_is_a_mapping_from_names_to_tensors_of_the_parameters_shapes(conv):
    network = conv()
    si = SynapticIntelligence(network)
    shapes = {n: p.shape for n, p in network.named_parameters()}
    for field in (si.importance, si.anchor, si.path_integral):
        assert {n: t.shape for n, t in field.items()} == shapes
        assert all(t.dtype == torch.float64 and not t.requires_grad for t in field.values())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_small_credits_of_narrow_parameters_add_up(dtype, strength):
    """A sum in bfloat16 stops growing once a credit is below 1/256 of it."""
    weights = nn.ParameterList([torch.linspace(0.5, 1.5, 5).to(dtype)])
    optimizer = SGD(weights, lr=1e-2)
    si = SynapticIntelligence(weights, strength=strength, damping=0.1).attach(optimizer)
    start, omega = weights[0].detach().double(), torch.zeros(5, dtype=torch.float64)
    for i in range(1000):
        before = weights[0].detach().double()
        weights[0].grad = torch.full((5,), 1.0 if i % 3 else -0.9).to(dtype)
        optimizer.step()
        omega -= weights[0].grad.double() * (weights[0].detach().double() - before)
    assert omega.min() > 1
    torch.testing.assert_close(si.path_integral["0"].double(), omega, rtol=1e-4, atol=0)
    si.consolidate()
    displacement = weights[0].detach().double() - start
    expected = omega / (displacement**2 + 0.1)
    torch.testing.assert_close(si.importance["0"].double(), expected, rtol=1e-4, atol=0)
    assert si.importance["0"].dtype == torch.float32


# ------------------------------------------------------------------------------- observers

@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_observer_changes_nothing_and_sees_what_the_twin_sees(conv, name):
    """Nesterov's foreach form writes into p.grad: an observer that kept no copy would be misled."""
    plain, watched, other = conv(), conv(), conv()
    optimizer, twin = over_all(name)(watched), Twin(other, over_all(name)(other))
    si = si_for(watched, optimizer, strength=0)
    run(plain, over_all(name)(plain), tasks=2,
        loss_of=lambda x, y: twin.sign * F.cross_entropy(x, y))
    for task, steps in enumerate(batches(2)):
        for x, y in steps:
            optimizer.zero_grad()
            (twin.sign * F.cross_entropy(watched(x, task), y)).backward()
            optimizer.step()
            twin.step(F.cross_entropy(other(x, task), y))
    assert all(map(torch.equal, plain.parameters(), watched.parameters()))
    assert_equal_dicts(si.path_integral, twin.omega)


@pytest.mark.parametrize("name", ["SGD momentum", "Nesterov foreach", "Adam", "Adam fused",
                                  "SGD maximize foreach"])
def test_observers_attached_before_and_after_see_the_task_gradient_alone(conv, name):
    network, alone = conv(), conv()
    optimizer, other = over_all(name)(network), over_all(name)(alone)
    build = partial(SynapticIntelligence, network, damping=DAMPING)
    before = [build(strength=0).attach(optimizer) for _ in range(2)]
    si = build(strength=STRENGTH).attach(optimizer)
    after = [build(strength=0).attach(optimizer) for _ in range(2)]
    lone = si_for(alone, other)
    for task, steps in enumerate(batches()):
        for x, y in steps:
            for net, opt in ((network, optimizer), (alone, other)):
                opt.zero_grad()
                F.cross_entropy(net(x, task), y).backward()
                opt.step()
        for measure in (*before, *after, lone):
            assert_equal_dicts(measure.path_integral, si.path_integral, 0)
        for measure in (*before, si, *after, lone):
            measure.consolidate()
    for measure in (*before, *after, lone):
        assert_equal_dicts(measure.importance, si.importance, 0)


def test_an_observer_never_touches_the_gradient_that_the_optimizer_gets():
    weights = Weights()
    si = SynapticIntelligence(weights, strength=0).attach(weights.optimizer)
    weights.step(1.0, 1.0)
    si.consolidate()
    weights.step(1.0, 1.0)
    seen = []
    weights.optimizer.register_step_pre_hook(lambda *_: seen.append(weights.w.grad))
    weights.w.grad = mine = torch.ones(2, dtype=torch.float64)
    weights.optimizer.step()
    assert seen[0] is mine and weights.w.grad is mine


# ------------------------------------------------------------------------- stop and resume

def saved(**objects):
    """What comes back from a file."""
    file = io.BytesIO()
    torch.save({name: o.state_dict() for name, o in objects.items()}, file)
    file.seek(0)
    return torch.load(file)


@pytest.mark.parametrize("name", ["SGD momentum", "Adam fused"])
@pytest.mark.parametrize("stop", range(9))
def test_stopped_after_any_step_and_resumed_in_fresh_objects_gives_the_same_bits(conv, name, stop):
    schedule = [(task, x, y, i == 2) for task, steps in enumerate(batches(steps=3))
                for i, (x, y) in enumerate(steps)]

    def go_on(network, optimizer, si, todo):
        for task, x, y, last in todo:
            optimizer.zero_grad()
            F.cross_entropy(network(x, task), y).backward()
            optimizer.step()
            if last:
                si.consolidate()
        return network, optimizer, si

    def fresh(seed):
        network = conv(seed=seed)
        optimizer = over_all(name)(network)
        return network, optimizer, si_for(network, optimizer)

    whole = go_on(*fresh(0), schedule)
    first = go_on(*fresh(0), schedule[:stop])
    file = saved(network=first[0], optimizer=first[1], si=first[2])
    resumed = fresh(seed=5)
    for thing, state in zip(resumed, file.values(), strict=True):
        thing.load_state_dict(state)
    go_on(*resumed, schedule[stop:])
    assert all(map(torch.equal, whole[0].parameters(), resumed[0].parameters()))
    assert (whole[2].tasks, whole[2].steps) == (resumed[2].tasks, resumed[2].steps)
    for field in ("importance", "anchor", "path_integral"):
        mine, theirs = getattr(whole[2], field), getattr(resumed[2], field)
        assert all(torch.equal(mine[n], theirs[n]) for n in mine)
    for mine, theirs in zip(whole[1].state.values(), resumed[1].state.values(), strict=True):
        assert all(torch.equal(mine[k], theirs[k]) for k in mine if torch.is_tensor(mine[k]))


def trained():
    weights = Weights()
    si = SynapticIntelligence(weights, strength=1.0).attach(weights.optimizer)
    weights.step(1.0, 2.0)
    si.consolidate()
    weights.step(3.0, -1.0)
    return weights, si


def test_state_dict_returns_copies_and_load_takes_copies():
    weights, si = trained()
    state, start = si.state_dict(), weights.w.detach().clone()
    kept = {f: state[f]["w"].clone() for f in ("importance", "anchor", "path_integral")}
    weights.step(1.0, 1.0)
    si.consolidate()
    assert all(torch.equal(state[f]["w"], kept[f]) for f in kept)
    si.load_state_dict(state)
    weights.load_state_dict({"w": start})
    assert (si.tasks, si.steps) == (1, 1)
    assert all(torch.equal(getattr(si, f)["w"], kept[f]) for f in kept)
    weights.step(1.0, 1.0)
    assert all(torch.equal(state[f]["w"], kept[f]) for f in kept)


def wrong_states():
    good = trained()[1].state_dict()
    yield "no path_integral", {k: v for k, v in good.items() if k != "path_integral"}, "expected"
    yield "one field more", good | {"fisher": {}}, "fisher"
    yield "another shape", good | {"path_integral": {"w": torch.zeros(3)}}, "path_integral"
    yield "one name more", good | {"path_integral": good["anchor"] | {"v": torch.zeros(2)}}, "'v'"
    yield "one name less", good | {"path_integral": {}}, "path_integral"


@pytest.mark.parametrize(("state", "message"), [
    pytest.param(state, message, id=name) for name, state, message in wrong_states()])
def test_a_state_of_something_else_is_refused_and_nothing_is_taken_from_it(state, message):
    weights = Weights()
    si = SynapticIntelligence(weights).attach(weights.optimizer)
    weights.step(0.5, 0.5)
    before = si.state_dict()
    with pytest.raises(ValueError, match=message):
        si.load_state_dict(state)
    after = si.state_dict()
    assert (after["tasks"], after["steps"]) == (0, 1)
    for field in ("importance", "anchor", "path_integral"):
        assert torch.equal(before[field]["w"], after[field]["w"])


# -------------------------------------------------------------------------------- refusals

@pytest.mark.parametrize(("setting", "shown"), [
    ({"strength": -1.0}, "strength .* got -1.0"), ({"strength": float("nan")}, "strength .* nan"),
    ({"strength": float("inf")}, "strength .* inf"), ({"damping": -0.5}, "damping .* got -0.5"),
    ({"damping": float("nan")}, "damping .* nan"), ({"clip": "never"}, "clip .* got 'never'"),
    ({"clip": None}, "clip .* got None")])
def test_bad_settings_are_refused_with_their_value(setting, shown):
    with pytest.raises(ValueError, match=shown):
        SynapticIntelligence(Weights(), **setting)


def test_settings_are_named_not_counted():
    with pytest.raises(TypeError):
        SynapticIntelligence(Weights(), 1.0)


def test_consolidating_without_a_step_is_refused():
    _, si = trained()
    si.consolidate()
    with pytest.raises(RuntimeError, match=r"no optimizer step .* attach\(optimizer\)"):
        si.consolidate()
    assert si.tasks == 2


class TwoWeights(Weights):
    def __init__(self):
        super().__init__()
        self.v = nn.Parameter(torch.ones(3, dtype=torch.float64))
        self.optimizer = SGD(self.parameters(), lr=0.1)


def assert_refused_and_unchanged(si, error, *messages):
    before = si.state_dict()
    with pytest.raises(error) as caught:
        si.consolidate()
    assert all(message in str(caught.value) for message in messages)
    after = si.state_dict()
    assert (before["tasks"], before["steps"]) == (after["tasks"], after["steps"])
    for field in ("importance", "anchor", "path_integral"):
        for name in before[field]:
            assert torch.equal(before[field][name].nan_to_num(9), after[field][name].nan_to_num(9))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_reported_with_its_parameter_and_task(value):
    weights = TwoWeights()
    si = SynapticIntelligence(weights, strength=1.0).attach(weights.optimizer)
    weights.step(1.0, 1.0)
    si.consolidate()
    weights.v.grad = torch.tensor([1.0, value, 1.0], dtype=torch.float64)
    with pytest.raises(FloatingPointError, match=r"'v' .* 1 of 3 .* after 1 step of task 2"):
        weights.step(1.0, 1.0)
    assert_refused_and_unchanged(si, FloatingPointError, "'v'", "task 2", "1 of 3")


@pytest.mark.parametrize("clip", ["cumulative", "per_task", "none"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_an_account_that_is_not_finite_is_reported_even_where_clipping_would_hide_it(clip, value):
    weights = TwoWeights()
    si = SynapticIntelligence(weights, strength=1.0, clip=clip).attach(weights.optimizer)
    weights.step(1.0, 1.0)
    si.path_integral["v"][2] = value
    assert_refused_and_unchanged(si, FloatingPointError, "'v'", "task 1")


def test_without_damping_a_weight_that_came_back_has_no_finite_importance():
    weights = Weights()
    si = SynapticIntelligence(weights, strength=1.0, damping=0.0).attach(weights.optimizer)
    weights.step(1.0, 1.0)
    weights.step(-1.0, 1.0)
    assert_refused_and_unchanged(si, FloatingPointError, "'w'", "task 1", "1 of 2")


def test_a_weight_that_another_optimizer_moved_is_refused():
    weights = TwoWeights()
    held, other = SGD([weights.w], lr=0.1), SGD([weights.v], lr=0.1)
    si = SynapticIntelligence(weights, strength=1.0).attach(held)
    weights.w.grad, weights.v.grad = torch.ones_like(weights.w), torch.ones_like(weights.v)
    held.step()
    si.consolidate()  # v has not moved yet: nothing is wrong
    held.step()
    other.step()
    assert_refused_and_unchanged(si, RuntimeError, "'v'", "one optimizer")


def test_a_parameter_replaced_after_construction_is_refused():
    weights, si = trained()
    weights.w = nn.Parameter(weights.w.detach().clone())
    assert_refused_and_unchanged(si, RuntimeError, "'w'", "replaced")


def test_a_network_moved_to_another_device_is_refused():
    weights, si = trained()
    weights.to("meta")
    assert_refused_and_unchanged(si, RuntimeError, "'w'")


def test_a_step_that_was_interrupted_before_it_moved_anything_keeps_its_probe():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    si = SynapticIntelligence(net, gradient="independent").attach(optimizer)

    def stop(*_):
        raise KeyboardInterrupt

    handle = optimizer.register_step_pre_hook(stop)
    net(torch.ones(1, 2)).sum().backward()
    si.probe(net(torch.ones(1, 2)).sum())
    with pytest.raises(KeyboardInterrupt):
        optimizer.step()
    handle.remove()
    si.detach().attach(optimizer)
    optimizer.step()
    assert all((omega > 0).all() for omega in si.path_integral.values())
