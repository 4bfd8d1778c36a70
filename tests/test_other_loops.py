"""The measures in other people's training loops: every optimizer, mixed precision, accumulation,
clipping, schedulers, a ResNet, tied and frozen weights, several groups, several measures at once.
"""

import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from si_tutorial import tasks, training
from si_tutorial.datasets import Dataset
from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    SynapticIntelligence,
    UniformImportance,
)
from si_tutorial.networks import mlp

torch.set_num_threads(1)
MEASURES = [ElasticWeightConsolidation, MemoryAwareSynapses, SynapticIntelligence,
            UniformImportance]
OPTIMIZERS = {
    "SGD": lambda p, **k: torch.optim.SGD(p, lr=0.05, **k),
    "momentum": lambda p, **k: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-2, **k),
    "Nesterov": lambda p, **k: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, **k),
    "Adam": lambda p, **k: torch.optim.Adam(p, lr=0.02, **k),
    "fused Adam": lambda p, **k: torch.optim.Adam(p, lr=0.02, fused=True, **k),
    "foreach AMSGrad": lambda p, **k: torch.optim.Adam(p, lr=0.02, foreach=True, amsgrad=True, **k),
    "AdamW": lambda p, **k: torch.optim.AdamW(p, lr=0.02, **k),
    "NAdam": lambda p, **k: torch.optim.NAdam(p, lr=0.02, **k),
    "RAdam": lambda p, **k: torch.optim.RAdam(p, lr=0.02, **k),
    "Adamax": lambda p, **k: torch.optim.Adamax(p, lr=0.02, **k),
    "RMSprop": lambda p, **k: torch.optim.RMSprop(p, lr=0.02, momentum=0.5, **k),
    "Adagrad": lambda p, **k: torch.optim.Adagrad(p, lr=0.05, **k),
    "Adadelta": lambda p, **k: torch.optim.Adadelta(p, lr=1.0, **k),
    "ASGD": lambda p, **k: torch.optim.ASGD(p, lr=0.05, **k),
    "Rprop": lambda p, **k: torch.optim.Rprop(p, lr=0.01, **k),
}


class Odd(nn.Module):
    """Tied weights, a frozen layer, a head that is not used."""

    def __init__(self):
        super().__init__()
        self.first, self.again, self.frozen = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.again.weight = self.first.weight
        self.frozen.requires_grad_(False)
        self.head, self.unused = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.frozen(torch.tanh(self.again(torch.tanh(self.first(x)))))))


def odd():
    torch.manual_seed(0)
    return Odd().double()


def batch(seed, examples=8):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(examples, 4, generator=generator, dtype=torch.float64)
    return x, torch.randint(3, (examples,), generator=generator)


def groups(net):
    body = [p for name, p in net.named_parameters() if "head" not in name]
    return [{"params": body}, {"params": [*net.head.parameters()], "lr": 0.03}]


def step(net, optimizer, seed, loss=None):
    x, y = batch(seed)
    optimizer.zero_grad()
    (F.cross_entropy(net(x), y) if loss is None else loss).backward()
    optimizer.step()


def flat(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


# --------------------------------------------------------------- the same path as the loss form

@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("measure", [ElasticWeightConsolidation, SynapticIntelligence])
def test_the_path_is_that_of_the_penalty_added_to_the_loss(name, measure):
    """Two tasks with the hooks, against a second network trained on task loss + penalty()."""
    net = odd()
    optimizer = OPTIMIZERS[name](groups(net))
    hooked = measure(net, strength=0.7).attach(optimizer)
    for seed in range(6):
        step(net, optimizer, seed)
    hooked.consolidate([batch(0)], forward=net)

    twin = copy.deepcopy(net)
    twin_optimizer = OPTIMIZERS[name](groups(twin))
    twin_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    penalty = measure(twin, strength=0.7)  # not attached
    penalty.load_state_dict(hooked.state_dict())
    for seed in range(6, 14):
        step(net, optimizer, seed)
        x, y = batch(seed)
        step(twin, twin_optimizer, seed, F.cross_entropy(twin(x), y) + penalty.penalty())
    for n, p in net.named_parameters():
        if p.grad is not None:  # in the loss form, weight decay moves the unused head too
            torch.testing.assert_close(p, twin.get_parameter(n), rtol=1e-9, atol=1e-11)
    assert penalty.penalty() > 0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_path_integral_is_the_sum_over_steps(name):
    """ω = −Σ g δ with the task's gradient and the weights' real change, recorded outside."""
    net = odd()
    optimizer = OPTIMIZERS[name](groups(net))
    si = SynapticIntelligence(net, strength=0.7).attach(optimizer)
    for t in range(2):
        omega = {n: torch.zeros_like(p) for n, p in net.named_parameters() if p.requires_grad}
        for seed in range(5):
            x, y = batch(seed + 5 * t)
            before = {n: p.detach().clone() for n, p in net.named_parameters()}
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            task_grads = {n: p.grad.clone() for n, p in net.named_parameters()
                          if p.grad is not None}
            optimizer.step()
            for n, g in task_grads.items():
                assert torch.equal(net.get_parameter(n).grad, g)  # it is the task's again
                omega[n] -= g * (net.get_parameter(n).detach() - before[n])
        for n, expected in omega.items():
            torch.testing.assert_close(si.path_integral[n], expected, rtol=1e-12, atol=1e-18)
        si.consolidate()
    assert not si.importance["unused.weight"].any() and "frozen.weight" not in si.importance


@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam", "RMSprop", "Adadelta"])
def test_task_and_total_gradient_differ_by_a_known_amount(name):
    """ω_task − ω_total = cΩ (Δ² − Σδ²), whatever the optimizer."""
    def second_task(gradient):
        net = odd()
        optimizer = OPTIMIZERS[name](net.parameters())
        si = SynapticIntelligence(net, strength=0.7, gradient=gradient).attach(optimizer)
        for seed in range(6):
            step(net, optimizer, seed)
        if gradient == "total":  # the first task has no penalty: all agree
            assert torch.equal(si.path_integral["head.weight"], reference["first"])
        first = si.path_integral["head.weight"].clone()
        si.consolidate()
        squares = {n: torch.zeros_like(p) for n, p in net.named_parameters()}
        for seed in range(6, 16):
            before = {n: p.detach().clone() for n, p in net.named_parameters()}
            step(net, optimizer, seed)
            for n, p in net.named_parameters():
                squares[n] += (p.detach() - before[n]) ** 2
        return si, net, squares, first

    reference = {}
    task, net, squares, reference["first"] = second_task("task")
    total, *_ = second_task("total")
    for n in task.importance:
        displacement = net.get_parameter(n).detach() - task.anchor[n]
        law = 0.7 * task.importance[n] * (displacement**2 - squares[n])
        torch.testing.assert_close(task.path_integral[n] - total.path_integral[n], law,
                                   rtol=1e-8, atol=1e-15)
    assert (task.path_integral["head.weight"] != total.path_integral["head.weight"]).all()


def test_maximizing_the_negative_loss_is_minimizing():
    def run(sign):
        net = odd()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02, maximize=sign < 0)
        si = SynapticIntelligence(net, strength=0.7, gradient="total").attach(optimizer)
        for t, seed in itertools.product(range(2), range(5)):
            x, y = batch(seed + 5 * t)
            step(net, optimizer, None or seed, sign * F.cross_entropy(net(x), y))
            if seed == 4:
                si.consolidate()
        return flat(net), si.importance["head.weight"]

    for one, other in zip(run(1), run(-1), strict=True):
        torch.testing.assert_close(one, other)


# -------------------------------------------------------------------------------- loops as found

@pytest.mark.parametrize("measure", MEASURES)
def test_bfloat16_autocast(measure):
    """Weights and their importance stay float32; what is measured is finite and not nothing."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    optimizer = torch.optim.Adam(net.parameters())
    hooked = measure(net, strength=1.0).attach(optimizer)
    x, y = torch.randn(16, 1, 8, 8), torch.randint(3, (16,))

    def forward(x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return net(x)

    for _ in range(2):
        for _ in range(5):
            optimizer.zero_grad()
            F.cross_entropy(forward(x), y).backward()
            optimizer.step()
        hooked.consolidate([(x, y)], forward=forward)
    for omega in hooked.importance.values():
        assert omega.dtype == torch.float32 and torch.isfinite(omega).all() and omega.max() > 0
    if measure in (ElasticWeightConsolidation, MemoryAwareSynapses):  # against full precision
        half, full = (measure(net).consolidate([(x, y)], forward=f) for f in (forward, net))
        for name in half.importance:
            error = (half.importance[name] - full.importance[name]).abs().max()
            assert error < 0.05 * full.importance[name].max()


def test_gradient_accumulation_is_one_step_on_the_whole_batch():
    def run(parts):
        net = odd()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        si = SynapticIntelligence(net, strength=0.7).attach(optimizer)
        for t, seed in itertools.product(range(2), range(5)):
            x, y = batch(seed + 5 * t)
            optimizer.zero_grad()
            for some_x, some_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
                (F.cross_entropy(net(some_x), some_y) / parts).backward()
            optimizer.step()
            if seed == 4:
                si.consolidate()
        return flat(net), si.importance["first.weight"]

    for whole, accumulated in zip(run(1), run(4), strict=True):
        torch.testing.assert_close(whole, accumulated, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("zero", [{"set_to_none": True}, {"set_to_none": False}])
def test_either_form_of_zero_grad(zero):
    net = odd()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    si = SynapticIntelligence(net, strength=0.7).attach(optimizer)
    for seed in range(8):
        x, y = batch(seed)
        optimizer.zero_grad(**zero)
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
        if seed == 3:
            si.consolidate()
    net_none = odd()
    plain = torch.optim.SGD(net_none.parameters(), lr=0.05)
    other = SynapticIntelligence(net_none, strength=0.7).attach(plain)
    for seed in range(8):
        step(net_none, plain, seed)
        if seed == 3:
            other.consolidate()
    assert torch.equal(flat(net), flat(net_none))


def test_clipping_limits_what_the_measure_sees_and_not_the_penalty():
    """ω = −g_clipped · δ, and the SGD step is lr · (g_clipped + 2cΩ(θ−θ̃))."""
    net = odd()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    si = SynapticIntelligence(net, strength=0.7).attach(optimizer)
    for seed in range(4):
        step(net, optimizer, seed)
    si.consolidate()
    for seed in range(4, 7):
        x, y = batch(seed)
        optimizer.zero_grad()
        (100 * F.cross_entropy(net(x), y)).backward()
        assert nn.utils.clip_grad_norm_(net.parameters(), 0.1) > 0.1
        theta, clipped = net.head.weight.detach().clone(), net.head.weight.grad.clone()
        omega = si.path_integral["head.weight"].clone()
        optimizer.step()
        delta = net.head.weight.detach() - theta
        pull = 2 * 0.7 * si.importance["head.weight"] * (theta - si.anchor["head.weight"])
        torch.testing.assert_close(delta, -0.05 * (clipped + pull))
        torch.testing.assert_close(si.path_integral["head.weight"], omega - clipped * delta)


@pytest.mark.parametrize("attach_first", [True, False])
def test_learning_rate_schedulers(attach_first):
    """ω follows the weights' real change, so the rate of the moment is in it."""
    net = odd()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    si = SynapticIntelligence(net, strength=0.7)
    if attach_first:
        si.attach(optimizer)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=6,
                                                    cycle_momentum=False)
    if not attach_first:
        si.attach(optimizer)
    expected = torch.zeros_like(net.head.weight)
    for seed in range(6):
        rate = optimizer.param_groups[0]["lr"]
        step(net, optimizer, seed)
        expected += rate * net.head.weight.grad ** 2
        scheduler.step()
    torch.testing.assert_close(si.path_integral["head.weight"], expected)


def test_a_gradient_scaler_with_an_optimizer_that_is_not_fused():
    """It unscales before the step, so the measure sees the gradients in their own units."""
    def run(scale):
        net = odd()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
        si = SynapticIntelligence(net, strength=0.7).attach(optimizer)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        for seed in range(4):
            x, y = batch(seed)
            optimizer.zero_grad()
            scaler.scale(F.cross_entropy(net(x), y)).backward()
            scaler.step(optimizer)
            scaler.update()
        return si.path_integral["head.weight"]

    torch.testing.assert_close(run(1.0), run(1024.0))


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.filterwarnings("ignore:the running statistics")
@pytest.mark.parametrize("measure", MEASURES)
def test_a_torchvision_resnet(measure):
    """Two tasks; the batch norms' statistics move in training and not in measuring."""
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    net = torchvision.models.resnet18(num_classes=3)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    hooked = measure(net, strength=0.1).attach(optimizer)
    x, y = torch.randn(3, 3, 32, 32), torch.tensor([0, 1, 2])
    for _ in range(2):
        for _ in range(2):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
        statistics = {n: b.clone() for n, b in net.named_buffers()}
        hooked.consolidate([(x, y)])
        assert all(torch.equal(b, statistics[n]) for n, b in net.named_buffers())
    assert net.training and hooked.tasks == 2
    assert all(torch.isfinite(t).all() and t.any() for t in hooked.importance.values())


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_the_fisher_of_a_resnet_is_the_loop_over_examples():
    """Convolutions, batch norms and the last layer, in float64."""
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    net = torchvision.models.resnet18(num_classes=3).double()
    x, y = torch.randn(2, 3, 32, 32).double(), torch.tensor([2, 0])
    ewc = ElasticWeightConsolidation(net, labels="true").consolidate([(x, y)])
    net.eval()
    expected = {n: torch.zeros_like(p) for n, p in net.named_parameters()}
    for one_x, one_y in zip(x.split(1), y.split(1), strict=True):
        net.zero_grad()
        F.cross_entropy(net(one_x), one_y).backward()
        for n, p in net.named_parameters():
            expected[n] += p.grad**2 / 2
    for n, f in expected.items():
        assert (ewc.importance[n] - f / 2).abs().max() <= 1e-10 * f.max()


# ------------------------------------------------------------------- several measures on one run

def digits(tasks_wanted=2):
    """Random images with a structure that can be learned, as a data set of four classes."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(80) % 4
    means = torch.randint(0, 200, (4, 1, 4, 4), generator=generator)
    x = (means[y] + torch.randint(0, 55, (80, 1, 4, 4), generator=generator)).to(torch.uint8)
    return tasks.split_classes(Dataset("four", x, y, x, y, "made here", True), 2)


def test_observers_do_not_change_the_run_and_see_what_a_penalised_object_sees():
    def run(observed):
        net = mlp([2, 2], inputs=16, hidden=(8,), head_weights="random").double()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True,
                                    foreach=True)
        si = SynapticIntelligence(net, strength=0.5).attach(optimizer)
        observers = [m(net, strength=0).attach(optimizer) for m in MEASURES] if observed else []
        training.train(Double(net), digits(), optimizer, epochs=2, batch_size=8,
                       measure=[si, *observers], progress=False)
        return net, si, observers

    net, si, observers = run(True)
    plain, alone, _ = run(False)
    assert torch.equal(flat(net), flat(plain))
    assert all(torch.equal(omega, alone.importance[n]) for n, omega in si.importance.items())
    watching = next(o for o in observers if isinstance(o, SynapticIntelligence))
    for n, omega in si.importance.items():
        torch.testing.assert_close(watching.importance[n], omega)
    assert [o.tasks for o in observers] == [2] * 4


class Double(nn.Module):
    """Casts the images, so that a run can be compared in float64."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, task):
        return self.net(x.double(), task)


@pytest.mark.parametrize("measure", MEASURES)
def test_no_measure_is_a_silent_no_op(measure):
    """After one task Ω > 0 somewhere, and the second task's path is another one than without."""
    def run(strength):
        net = mlp([2, 2], inputs=16, hidden=(8,), head_weights="random")
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        hooked = measure(net, strength=strength).attach(optimizer)
        training.train(net, digits(), optimizer, epochs=2, batch_size=8, measure=hooked,
                       progress=False)
        return net, hooked

    (free, _), (held, hooked) = run(0), run(10.0)
    assert hooked.importance["body.0.weight"].max() > 0
    assert not torch.allclose(flat(free), flat(held))


# --------------------------------------------------------------------- an independent minibatch

def test_probing_the_same_minibatch_is_the_paper():
    net = odd()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    si, paper = (SynapticIntelligence(net, strength=0, gradient=g).attach(optimizer)
                 for g in ("independent", "task"))
    for seed in range(5):
        x, y = batch(seed)
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        kept = [p.grad.clone() for p in net.parameters() if p.grad is not None]
        si.probe(F.cross_entropy(net(x), y))
        assert all(torch.equal(p.grad, k) for p, k in zip(
            (p for p in net.parameters() if p.grad is not None), kept, strict=True))
        optimizer.step()
    for n, omega in paper.path_integral.items():
        torch.testing.assert_close(si.path_integral[n], omega)


def test_an_independent_minibatch_removes_the_bias_of_the_noise():
    """One SGD step: E ω = η (ḡ² + σ²) with the step's own gradient, η ḡ² with another's.

    Every minibatch, and every pair of minibatches, is enumerated, so the means are exact.
    """
    gradients, rate = torch.tensor([3.0, -1.0, 0.5, 2.0]).double(), 0.1

    def omega(own, other=None):
        net = nn.Linear(1, 1, bias=False).double()
        optimizer = torch.optim.SGD(net.parameters(), lr=rate)
        si = SynapticIntelligence(net, gradient="task" if other is None else "independent")
        si.attach(optimizer)
        (own * net.weight).sum().backward()  # a loss whose gradient is `own`
        if other is not None:
            si.probe((other * net.weight).sum())
        optimizer.step()
        return si.path_integral["weight"].item()

    mean, variance = gradients.mean().item(), gradients.var(unbiased=False).item()
    own = sum(omega(g) for g in gradients) / 4
    pairs = sum(omega(g, h) for g, h in itertools.product(gradients, repeat=2)) / 16
    assert own == pytest.approx(rate * (mean**2 + variance))
    assert pairs == pytest.approx(rate * mean**2)


def test_a_step_without_a_fresh_probe_is_refused():
    net = odd()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    si = SynapticIntelligence(net, gradient="independent").attach(optimizer)
    with pytest.raises(RuntimeError, match="probe"):
        step(net, optimizer, 0)
    si.probe(F.cross_entropy(net(batch(1)[0]), batch(1)[1]))
    step(net, optimizer, 0)
    with pytest.raises(RuntimeError, match="probe"):  # the last step's has been used up
        step(net, optimizer, 1)


def test_a_probe_that_nobody_would_read_is_refused():
    net = odd()
    si = SynapticIntelligence(net)
    with pytest.raises(RuntimeError, match="gradient='task'"):
        si.probe(F.cross_entropy(net(batch(1)[0]), batch(1)[1]))


def test_unknown_gradients_are_refused():
    with pytest.raises(ValueError, match="'loss'"):
        SynapticIntelligence(odd(), gradient="loss")
