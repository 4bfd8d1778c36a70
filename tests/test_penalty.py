"""The penalty that all importance measures share: its value, its hooks, and what it refuses."""

import warnings
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import LBFGS, SGD, Adam, SparseAdam
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from si_tutorial import formulas
from si_tutorial.importance import QuadraticPenalty, SynapticIntelligence

MEASURES = pytest.mark.parametrize("measure", [QuadraticPenalty, SynapticIntelligence])


class Weights(nn.Module):
    """Two parameters, of two and three numbers."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
        self.v = nn.Parameter(torch.tensor([0.5, 0.0, 4.0], dtype=torch.float64))


def penalised(measure=QuadraticPenalty, *, strength=0.5, optimizer=None, importance=3.0):
    """Weights with an importance, a penalty of theirs, and an optimizer that carries it."""
    weights = Weights()
    optimizer = (optimizer or partial(SGD, lr=0.01))(weights.parameters())
    penalty = measure(weights, strength=strength)
    for name in penalty.importance:
        penalty.importance[name].fill_(importance)
    penalty.anchor["w"].zero_()
    return weights, optimizer, penalty.attach(optimizer)


def set_gradients(weights):
    """Gradients of a task loss: w gets ones, v gets twos."""
    weights.w.grad = torch.ones_like(weights.w)
    weights.v.grad = torch.full_like(weights.v, 2.0)
    return weights.w.grad, weights.v.grad


# ------------------------------------------------------------------------- value and gradient

def test_the_value_worked_out_by_hand():
    _, _, penalty = penalised()
    assert penalty.penalty().item() == 0.5 * 3 * (1 + 4)  # v sits at its anchor
    assert penalty.strength == 0.5


def test_autograd_finds_the_gradient_of_the_formula():
    weights, _, penalty = penalised()
    found, = torch.autograd.grad(penalty.detach().penalty(), weights.w)
    expected = formulas.penalty_gradient(penalty.importance["w"], penalty.anchor["w"],
                                         weights.w.detach(), 0.5)
    assert torch.equal(found, expected)


@MEASURES
@pytest.mark.parametrize("sign", [1, -1], ids=["minimize", "maximize"])
def test_the_optimizer_steps_on_task_gradient_plus_pull(measure, sign):
    """θ = (1, −2), θ̃ = 0, cΩ = 1.5, g = 1: the total is 1 + 3θ; a maximiser climbs −L − penalty."""
    weights, optimizer, _ = penalised(measure, optimizer=partial(SGD, lr=0.01, maximize=sign < 0))
    weights.w.grad = torch.full_like(weights.w, sign)
    optimizer.step()
    assert weights.w.tolist() == pytest.approx([1 - 0.01 * 4, -2 + 0.01 * 5])


@MEASURES
def test_a_parameter_without_a_gradient_is_not_pulled(measure):
    weights, optimizer, penalty = penalised(measure)
    weights.v.grad = torch.ones_like(weights.v)
    optimizer.step()
    assert weights.w.grad is None
    assert weights.w.tolist() == [1.0, -2.0]
    assert penalty.steps == 1


@MEASURES
@pytest.mark.parametrize("optimizer", [
    partial(SGD, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1, foreach=True),
    partial(SGD, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1, foreach=False),
    partial(Adam, lr=0.01, weight_decay=0.1, fused=True),
    partial(SGD, lr=0.01, weight_decay=0.1, maximize=True, foreach=True)])
def test_after_a_step_p_grad_is_the_same_object_with_the_same_values(measure, optimizer):
    weights, optimizer, _ = penalised(measure, optimizer=optimizer)
    for _ in range(3):
        w_grad, v_grad = set_gradients(weights)
        optimizer.step()
        assert weights.w.grad is w_grad and weights.v.grad is v_grad
        assert w_grad.tolist() == [1, 1] and v_grad.tolist() == [2, 2, 2]


def test_the_optimizer_is_given_another_tensor_and_the_task_gradient_is_not_written_to():
    weights, optimizer, _ = penalised()
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.append(weights.w.grad))
    w_grad, _ = set_gradients(weights)
    optimizer.step()
    assert seen[0] is not w_grad
    assert seen[0].tolist() == [4.0, -5.0] and w_grad.tolist() == [1.0, 1.0]


@MEASURES
def test_while_nothing_is_protected_the_optimizer_gets_a_copy_of_the_task_gradient(measure):
    weights, optimizer, _ = penalised(measure, importance=0.0)
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.append(weights.w.grad))
    w_grad, _ = set_gradients(weights)
    optimizer.step()
    assert torch.equal(seen[0], w_grad) and seen[0].data_ptr() != w_grad.data_ptr()


@MEASURES
@pytest.mark.parametrize("write", [
    lambda p: p.importance["w"].fill_(3.0),
    lambda p: p.importance.update(w=torch.zeros(2, dtype=torch.float64).fill_(3.0)),
    lambda p: p.load_state_dict(p.state_dict() | {"importance": {
        n: torch.full_like(t, 3.0) for n, t in p.importance.items()}})],
    ids=["in place", "another tensor", "loaded"])
def test_an_importance_written_within_the_first_task_counts_from_the_next_step(measure, write):
    weights, optimizer, penalty = penalised(measure, importance=0.0)
    weights.w.grad = torch.zeros_like(weights.w)
    optimizer.step()
    assert weights.w.tolist() == [1.0, -2.0]
    penalty.anchor["w"].zero_()  # the first step has moved it to the weights
    write(penalty)
    optimizer.step()
    assert weights.w.tolist() == pytest.approx([1 - 0.03, -2 + 0.06])


def test_anchor_and_importance_are_copies_by_name_and_shape():
    weights = Weights()
    penalty = QuadraticPenalty(weights)
    assert penalty.strength == 1.0
    with torch.no_grad():
        weights.w.add_(1.0)
    assert penalty.anchor["w"].tolist() == [1.0, -2.0]
    assert {n: t.shape for n, t in penalty.importance.items()} == {"w": (2,), "v": (3,)}
    assert not any(t.any() for t in penalty.importance.values())


def test_an_importance_given_before_the_first_step_keeps_its_anchor():
    weights, optimizer, penalty = penalised()
    set_gradients(weights)
    optimizer.step()
    assert penalty.anchor["w"].tolist() == [0.0, 0.0]


def test_detached_it_acts_no_more_and_attached_again_it_acts_once():
    weights, optimizer, penalty = penalised()
    assert penalty.detach() is penalty
    weights.w.grad = torch.zeros_like(weights.w)
    optimizer.step()
    assert weights.w.tolist() == [1.0, -2.0] and penalty.steps == 0
    penalty.attach(optimizer).detach().attach(optimizer)
    optimizer.step()
    assert weights.w.tolist() == pytest.approx([1 - 0.03, -2 + 0.06]) and penalty.steps == 1
    penalty.detach().detach()


# ---------------------------------------------------------------------- who may attach to what

def test_attached_twice_is_refused():
    weights, optimizer, penalty = penalised()
    for other in (optimizer, SGD(weights.parameters(), lr=0.1)):
        with pytest.raises(RuntimeError, match=r"already attached.*detach\(\)"):
            penalty.attach(other)


def test_a_second_penalty_on_one_optimizer_is_refused_until_the_first_is_gone():
    weights, optimizer, first = penalised()
    second = SynapticIntelligence(weights, strength=1.0)
    with pytest.raises(RuntimeError, match="carries the penalty of a QuadraticPenalty"):
        second.attach(optimizer)
    first.detach()
    second.attach(optimizer)
    first.detach()  # once more must not release the second
    with pytest.raises(RuntimeError, match="SynapticIntelligence"):
        first.attach(optimizer)


def test_observers_may_come_and_go_around_a_penalty():
    weights, optimizer, _ = penalised()
    observers = [SynapticIntelligence(weights, strength=0).attach(optimizer) for _ in range(3)]
    observers[1].detach()
    set_gradients(weights)
    optimizer.step()
    assert weights.w.tolist() == pytest.approx([1 - 0.04, -2 + 0.05])  # the pull came once
    assert [o.steps for o in observers] == [1, 0, 1]
    with pytest.raises(RuntimeError, match="already carries"):
        QuadraticPenalty(weights).attach(optimizer)


def test_lbfgs_is_refused():
    weights = Weights()
    with pytest.raises(TypeError, match="LBFGS"):
        QuadraticPenalty(weights).attach(LBFGS(weights.parameters()))


def test_an_optimizer_of_other_parameters_is_refused():
    with pytest.raises(ValueError, match=r"none of the network's parameters"):
        QuadraticPenalty(Weights()).attach(SGD(Weights().parameters(), lr=0.1))


@pytest.mark.parametrize("change", [
    lambda weights: delattr(weights, "v"),
    lambda weights: setattr(weights, "v", nn.Parameter(torch.zeros(3))),
    lambda weights: setattr(weights, "v", nn.Parameter(weights.v.detach(), requires_grad=False))])
def test_a_parameter_removed_or_replaced_before_attaching_is_refused(change):
    weights = Weights()
    penalty = QuadraticPenalty(weights)
    change(weights)
    with pytest.raises(RuntimeError, match="'v' was added, removed or replaced"):
        penalty.attach(SGD(weights.parameters(), lr=0.1))


@pytest.mark.parametrize(("network", "error", "message"), [
    (lambda: nn.ReLU(), ValueError, "ReLU has no parameters"),
    (lambda: nn.LazyLinear(3), ValueError, "no shape yet"),
    (lambda: nn.ParameterList([nn.Parameter(torch.zeros(2, dtype=torch.complex64))]), TypeError,
     "complex64"),
    (lambda: nn.ParameterList([nn.Parameter(torch.zeros(2, dtype=torch.int8), False)]), ValueError,
     "none is both trainable")], ids=["none", "lazy", "complex", "integer"])
def test_a_network_that_cannot_be_penalised_is_refused(network, error, message):
    with pytest.raises(error, match=message):
        QuadraticPenalty(network())


@pytest.mark.parametrize("strength", [-1.0, -1e-9, float("nan"), float("inf")])
def test_a_bad_strength_is_refused_with_its_value(strength):
    with pytest.raises(ValueError, match=f"strength .* got {strength!r}"):
        QuadraticPenalty(Weights(), strength=strength)


# --------------------------------------------------------------------- what a step may not be

BOTH = pytest.mark.parametrize("strength", [0.5, 0.0], ids=["penalised", "observer"])


def assert_step_refused(weights, optimizer, step, error, message):
    """The step is refused before anything has happened: weights and gradients are untouched."""
    grads = set_gradients(weights)
    before = {n: p.detach().clone() for n, p in weights.named_parameters()}
    with pytest.raises(error, match=message):
        step()
    assert all(torch.equal(p, before[n]) for n, p in weights.named_parameters())
    assert weights.w.grad is grads[0] and weights.v.grad is grads[1]


@MEASURES
@BOTH
@pytest.mark.parametrize("how", ["positional", "keyword"])
def test_a_closure_is_refused_for_it_would_overwrite_the_penalty(measure, strength, how):
    weights, optimizer, _ = penalised(measure, strength=strength)

    def closure():
        raise AssertionError("the closure was called")

    step = (partial(optimizer.step, closure) if how == "positional" else
            partial(optimizer.step, closure=closure))
    assert_step_refused(weights, optimizer, step, RuntimeError, r"step\(closure\)")


def test_no_closure_said_in_words_is_no_closure():
    weights, optimizer, penalty = penalised()
    set_gradients(weights)
    optimizer.step(None)
    optimizer.step(closure=None)
    assert penalty.steps == 2


@MEASURES
@BOTH
def test_a_gradient_scaler_on_a_fused_optimizer_is_refused(measure, strength):
    weights, optimizer, _ = penalised(measure, strength=strength,
                                      optimizer=partial(Adam, lr=0.01, fused=True))
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(weights.w.sum() + weights.v.sum()).backward()
    assert_step_refused(weights, optimizer, partial(scaler.step, optimizer), RuntimeError,
                        "GradScaler.*fused=False")


@MEASURES
@BOTH
def test_a_step_that_a_cuda_graph_records_is_refused(measure, strength, monkeypatch):
    weights, optimizer, penalty = penalised(measure, strength=strength)
    with monkeypatch.context() as recording:
        recording.setattr(torch.cuda, "is_initialized", lambda: True)
        recording.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
        assert_step_refused(weights, optimizer, optimizer.step, RuntimeError, "CUDA graph")
    optimizer.step()  # the remedy: outside of the graph
    assert penalty.steps == 1


def test_a_gradient_scaler_on_an_unfused_optimizer_hands_over_true_gradients():
    weights, optimizer, penalty = penalised(SynapticIntelligence)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(weights.w.sum() + 2 * weights.v.sum()).backward()
    scaler.step(optimizer)
    assert weights.w.tolist() == pytest.approx([1 - 0.04, -2 + 0.05])
    assert penalty.path_integral["w"].tolist() == pytest.approx([0.04, -0.05])


class Nested(SGD):
    """A subclass whose step calls its parent's: torch fires the hooks of both."""

    def step(self, closure=None):
        return super().step(closure)


@MEASURES
def test_a_step_within_a_step_is_refused(measure):
    SGD([nn.Parameter(torch.zeros(1))], lr=1)  # PyTorch puts the hooks on SGD.step only now
    weights, optimizer, penalty = penalised(measure, optimizer=partial(Nested, lr=0.01))
    grads = set_gradients(weights)
    with pytest.raises(RuntimeError, match="ran twice"):
        optimizer.step()
    assert weights.w.tolist() == [1.0, -2.0]
    penalty.detach()
    assert weights.w.grad is grads[0] and weights.v.grad is grads[1]


class Interrupted(torch.optim.Optimizer):
    """Gradient descent that fails within its step whenever it is told to."""

    fails = False

    def __init__(self, params):
        super().__init__(params, {})

    @torch.no_grad()
    def step(self, closure=None):
        if self.fails:
            raise KeyboardInterrupt
        for p in self.param_groups[0]["params"]:
            p.sub_(p.grad, alpha=0.01)


@MEASURES
def test_after_an_interrupted_step_detach_and_attach_recover_the_task_gradient(measure):
    weights, optimizer, penalty = penalised(measure, optimizer=Interrupted)
    grads = set_gradients(weights)
    optimizer.fails = True
    with pytest.raises(KeyboardInterrupt):
        optimizer.step()
    assert weights.w.grad is not grads[0]  # the total was left behind
    optimizer.fails = False
    with pytest.raises(RuntimeError, match=r"interrupted.*detach\(\) and attach\(optimizer\)"):
        optimizer.step()
    penalty.detach().attach(optimizer)
    assert weights.w.grad is grads[0] and grads[0].tolist() == [1.0, 1.0]
    optimizer.step()
    assert weights.w.tolist() == pytest.approx([1 - 0.04, -2 + 0.05])
    assert penalty.steps == 1


@MEASURES
@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_dtype_changed_after_construction_is_refused(measure, strength, dtype):
    weights, optimizer, _ = penalised(measure, strength=strength)
    weights.to(dtype)
    assert_step_refused(weights, optimizer, optimizer.step, RuntimeError,
                        "'w' is now .* but was torch.float64 on cpu.*move the network first")


def test_a_device_changed_before_attaching_is_refused():
    weights = Weights()
    penalty = QuadraticPenalty(weights)
    weights.to("meta")  # where PyTorch cannot move in place, it puts new parameters
    with pytest.raises(RuntimeError, match=r"'[wv]' was added, removed or replaced"):
        penalty.attach(SGD(weights.parameters(), lr=0.1))


@pytest.mark.parametrize("optimizer", [partial(SGD, lr=0.1), SparseAdam])
@BOTH
def test_a_sparse_gradient_is_refused(optimizer, strength):
    table = nn.Embedding(5, 2, sparse=True)
    optimizer = optimizer(list(table.parameters()))
    QuadraticPenalty(table, strength=strength).attach(optimizer)
    table(torch.tensor([1, 3])).sum().backward()
    with pytest.raises(TypeError, match="'weight' is sparse"):
        optimizer.step()


def test_groups_that_pull_in_opposite_directions_are_refused():
    weights = Weights()
    optimizer = SGD([{"params": [weights.w], "maximize": True}, {"params": [weights.v]}], lr=0.1)
    QuadraticPenalty(weights).attach(optimizer)
    assert_step_refused(weights, optimizer, optimizer.step, ValueError, "maximises in some")


# ---------------------------------------------------------------------------------- stiffness

SGDS = pytest.mark.parametrize("settings", [
    {}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.5},
    {"momentum": 0.9, "nesterov": True}], ids=["plain", "momentum", "dampening", "nesterov"])


def stiff(factor, *, strength=0.5, importance=3.0, **settings):
    """A penalty whose lr · 2cΩ is `factor` times the limit of its SGD."""
    limit = formulas.momentum_limit(settings.get("momentum", 0.0),
                                    dampening=settings.get("dampening", 0.0),
                                    nesterov=settings.get("nesterov", False))
    lr = factor * limit / (2 * strength * importance)
    return penalised(strength=strength, importance=importance,
                     optimizer=partial(SGD, lr=lr, **settings, foreach=False))


def step(weights, optimizer, times=1):
    for _ in range(times):
        weights.w.grad, weights.v.grad = torch.zeros_like(weights.w), torch.zeros_like(weights.v)
        optimizer.step()


@SGDS
def test_the_warning_comes_above_the_limit_and_names_the_parameter_and_the_rate(settings):
    weights, optimizer, _ = stiff(1 + 1e-9, **settings)
    lr = optimizer.param_groups[0]["lr"]
    with pytest.warns(RuntimeWarning) as caught:
        step(weights, optimizer, times=3)
    warning, = caught  # one for all parameters and steps
    assert "diverge on 'w' and 1 other: lr" in str(warning.message)
    assert f"lr below {lr:.3g}" in str(warning.message)


@SGDS
def test_no_warning_comes_below_the_limit(settings):
    weights, optimizer, _ = stiff(1 - 1e-9, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(weights, optimizer, times=3)


@SGDS
@pytest.mark.parametrize(("factor", "stays"), [(0.97, True), (1.03, False)])
@pytest.mark.filterwarnings("ignore:SGD will diverge")
def test_under_the_penalty_alone_sgd_diverges_where_the_warning_says(settings, factor, stays):
    weights, optimizer, _ = stiff(factor, **settings)
    step(weights, optimizer, times=1000)
    size = weights.w.detach().abs().max()
    assert size < 1e-3 if stays else not size < 1e3


def test_a_learning_rate_that_rises_above_the_limit_is_noticed():
    weights, optimizer, _ = stiff(0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(weights, optimizer)
    optimizer.param_groups[0]["lr"] *= 3
    with pytest.warns(RuntimeWarning, match="will diverge"):
        step(weights, optimizer)


def test_a_learning_rate_that_rises_in_a_slower_group_is_noticed():
    weights = Weights()
    optimizer = SGD([{"params": [weights.w], "lr": 1.0}, {"params": [weights.v], "lr": 0.01}])
    penalty = QuadraticPenalty(weights, strength=0.5)
    penalty.importance["v"].fill_(3.0)  # only v is stiff: 3 lr > 2 from lr = 0.67 on
    penalty.attach(optimizer)
    step(weights, optimizer)
    optimizer.param_groups[1]["lr"] = 0.9
    with pytest.warns(RuntimeWarning, match="diverge on 'v'"):
        step(weights, optimizer)


def test_of_many_the_worst_is_named_and_a_rate_that_is_low_enough_for_all():
    """lr · 2cΩ is 2.5 and 3 where the limit is 2, and 5 where it is 3.8."""
    weights = Weights()
    weights.u = torch.nn.Parameter(torch.ones(2))
    weights = weights.double()
    optimizer = SGD([{"params": [weights.w, weights.v], "lr": 1.0},
                     {"params": [weights.u], "lr": 0.1, "momentum": 0.9}])
    penalty = QuadraticPenalty(weights, strength=0.5)
    for name, importance in (("w", 2.5), ("v", 3.0), ("u", 50.0)):
        penalty.importance[name].fill_(importance)
    penalty.attach(optimizer)
    with pytest.warns(RuntimeWarning, match=r"diverge on 'v' and 2 others: lr · 2cΩ = 3 exceeds "
                                            r"2\. Keep lr below 0\.076,") as caught:
        step(weights, optimizer)
    assert len(caught) == 1
    for group in optimizer.param_groups:
        group["lr"] = 0.0759
    penalty.detach().attach(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(weights, optimizer)


def test_importance_loaded_from_a_file_is_checked_again():
    weights, optimizer, penalty = stiff(0.5)
    step(weights, optimizer)
    state = penalty.state_dict()
    state["importance"] = {n: 3 * t for n, t in state["importance"].items()}
    penalty.load_state_dict(state)
    with pytest.warns(RuntimeWarning, match="will diverge"):
        step(weights, optimizer)


def test_another_optimizer_is_checked_anew():
    """At the same rate: lr · 2cΩ = 3 is below the limit with momentum, 3.8, and above 2 without."""
    weights, optimizer, penalty = penalised(optimizer=partial(SGD, lr=1.0, momentum=0.9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(weights, optimizer)
    penalty.detach().attach(other := SGD(weights.parameters(), lr=1.0))
    with pytest.warns(RuntimeWarning, match="will diverge"):
        step(weights, other)


def test_adam_and_observers_are_not_warned():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for strength, optimizer in ((0.5, partial(Adam, lr=10.0)), (0.0, partial(SGD, lr=1e9))):
            weights, optimizer, _ = penalised(strength=strength, optimizer=optimizer)
            step(weights, optimizer)


def test_sgd_without_momentum_ignores_dampening_and_so_does_the_warning():
    weights, optimizer, _ = penalised(optimizer=partial(SGD, lr=1.0, dampening=0.5))  # 3 > 2
    with pytest.warns(RuntimeWarning, match="will diverge"):
        step(weights, optimizer)


def test_fully_dampened_momentum_is_stepped_without_a_warning():
    weights, optimizer, _ = penalised(optimizer=partial(SGD, lr=9.0, momentum=0.5, dampening=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(weights, optimizer)


@MEASURES
@pytest.mark.parametrize("optimizer", [SGD, Adam])
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_parameter_without_elements_is_no_obstacle(measure, optimizer):
    """A layer of width zero, as architectures made from lists of widths have."""
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 0))
    penalty = measure(net).attach(optimizer := optimizer(net.parameters(), lr=0.1))
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    penalty.importance["0.weight"].fill_(1.0)
    optimizer.step()
    assert penalty.steps == 2 and penalty.importance["1.weight"].shape == (0, 2)


def test_a_stiffness_that_comes_with_a_tasks_end_is_noticed():
    """The learning rate was checked in the first task, when nothing was stiff yet."""
    weights, optimizer, penalty = penalised(optimizer=partial(SGD, lr=1.0), importance=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(weights, optimizer)
    penalty._end_task({n: torch.full_like(t, 3.0) for n, t in penalty.importance.items()},
                      penalty.anchor)
    with pytest.warns(RuntimeWarning, match="will diverge"):
        step(weights, optimizer)


# ------------------------------------------------------------------------------ narrow dtypes

NARROW = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])


@NARROW
@MEASURES
def test_importance_and_anchor_of_a_narrow_parameter_are_wide(measure, dtype):
    penalty = measure(nn.Linear(3, 2, dtype=dtype))
    for field in penalty._tensor_fields:
        assert all(t.dtype == torch.float32 for t in getattr(penalty, field).values())


@NARROW
@MEASURES
@pytest.mark.filterwarnings("ignore:SGD will diverge")
def test_the_pull_on_a_narrow_parameter_is_rounded_once(measure, dtype):
    """g + 2cΩ(θ − θ̃) in float32, then in the parameter's dtype, which its gradient must have."""
    weights = nn.ParameterList([torch.tensor([1.0, -2.0, 0.3], dtype=dtype)])
    optimizer = SGD(weights, lr=1.0)
    penalty = measure(weights, strength=0.5)
    anchor, omega = torch.tensor([0.9, -1.7, 0.30001]), torch.tensor([3.0, 0.7, 1e3])
    penalty.importance["0"].copy_(omega)
    penalty.anchor["0"].copy_(anchor)
    penalty.attach(optimizer)
    seen, task_grad = [], torch.tensor([0.1, 0.2, -0.3], dtype=dtype)
    weights[0].grad = task_grad
    expected = (task_grad + omega * (weights[0].detach().float() - anchor)).to(dtype)
    optimizer.register_step_pre_hook(lambda *_: seen.append(weights[0].grad.clone()))
    optimizer.step()
    assert torch.equal(seen[0], expected) and weights[0].grad is task_grad


# ---------------------------------------------------------------------------------- its cost

class Traffic(TorchDispatchMode):
    """Counts the numbers that operations read from tensors and write to them."""

    numbers = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        schema = operation._schema
        given = dict(zip((a.name for a in schema.arguments), args, strict=False), **(kwargs or {}))
        written = {a.name for a in schema.arguments if a.alias_info and a.alias_info.is_write}
        unread = written if "copy_" in schema.name else written & {"out"}
        moved = [given[name] for name in given.keys() - unread]  # read
        moved += [given[name] for name in written] or [result]   # written, or made
        self.numbers += sum(t.numel() for t in tree_leaves(moved) if isinstance(t, torch.Tensor))
        return result


class Idle(torch.optim.Optimizer):
    """Does nothing in a step: what is left is the work of the hooks."""

    def __init__(self, params):
        super().__init__(params, {})

    def step(self, closure=None):
        pass


@pytest.mark.parametrize(("measure", "strength", "first", "later"), [
    (QuadraticPenalty, 0.5, 2, 7),        # g copied; then θ − θ̃ (3) and g + 2cΩ(θ − θ̃) (4)
    (SynapticIntelligence, 0.5, 11, 16),  # and θ copied (2), Δθ (3) and ω −= g Δθ (4)
    (SynapticIntelligence, 0.0, 11, 11), (QuadraticPenalty, 0.0, 0, 0)])
def test_how_often_a_step_goes_through_memory(measure, strength, first, later):
    """What makes a step slow: each time, as many numbers as there are parameters."""
    weights, optimizer, penalty = penalised(measure, strength=strength, importance=0.0,
                                            optimizer=Idle)
    set_gradients(weights)
    for importance, expected in ((0.0, first), (3.0, later)):
        penalty.importance["w"].fill_(importance)
        optimizer.step()  # looks at the importance that was written
        optimizer.step()  # the next, third or sixth, does not look for NaN
        with Traffic() as traffic:
            optimizer.step()
        assert traffic.numbers == expected * 5


# ------------------------------------------------------------------------------- its state

def test_state_dict_is_a_copy_and_comes_back_whole():
    weights, optimizer, penalty = penalised()
    set_gradients(weights)
    optimizer.step()
    state = penalty.state_dict()
    for name in penalty.importance:
        penalty.importance[name].add_(1.0)
        penalty.anchor[name].add_(1.0)
    assert state["importance"]["w"].tolist() == [3.0, 3.0]
    assert state["anchor"]["w"].tolist() == [0.0, 0.0]
    other = QuadraticPenalty(Weights())
    other.load_state_dict(state)
    assert (other.tasks, other.steps) == (0, 1)
    assert all(torch.equal(getattr(other, field)[n], state[field][n])
               for field in ("importance", "anchor") for n in ("w", "v"))


def test_the_state_of_another_measure_is_refused():
    with pytest.raises(ValueError, match=r"not the state of a QuadraticPenalty.*path_integral"):
        QuadraticPenalty(Weights()).load_state_dict(SynapticIntelligence(Weights()).state_dict())
