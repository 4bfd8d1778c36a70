"""protect=: which parameters a measure measures and pulls, and that the others cost nothing."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from kinds import EVERY
from torch import nn
from torch.optim import SGD, Adam
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from si_tutorial.fisher import fisher_information, output_sensitivity
from si_tutorial.importance import (
    SynapticIntelligence,
    UniformImportance,
)


class Net(nn.Module):
    """A body with a BatchNorm, and two heads; the second has the first's weight."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 6))
        self.head, self.twin = nn.Linear(6, 3), nn.Linear(6, 3)
        self.twin.weight = self.head.weight

    def forward(self, x):
        return self.head(torch.tanh(self.body(x))) + self.twin(x[:, :1].expand(-1, 6))


def build():
    torch.manual_seed(0)
    net = Net().double()
    net.body[1].eval()  # one task's statistics for all
    return net


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(8, 4, generator=generator, dtype=torch.float64)
    return x, torch.randint(3, (8,), generator=generator)


def learn(net, optimizer, measure, tasks=2):
    for task in range(tasks):
        for seed in range(4):
            x, y = batch(10 * task + seed)
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
        measure.consolidate([batch(10 * task)])
    return measure


def trained(kind, *, strength=0.5, tasks=2, optimizer=Adam, **settings):
    net = build()
    optimizer = optimizer(net.parameters(), lr=0.01)
    measure = kind(net, strength=strength, **settings).attach(optimizer)
    return net, learn(net, optimizer, measure, tasks)


# ------------------------------------------------------------------------------------ the laws

@EVERY
@pytest.mark.parametrize("everything", [
    lambda name, p: True, ["body", "head", "twin"], ("body.0", "body.1", "body.3", "head", "twin"),
    [name for name, _ in build().named_parameters()]], ids=["rule", "modules", "parts", "names"])
def test_to_protect_everything_is_to_protect_without_a_choice(kind, everything):
    (net, measure), (plain, all_of_it) = trained(kind, protect=everything), trained(kind)
    assert measure.importance.keys() == all_of_it.importance.keys()
    for field in measure._tensor_fields:
        for name, tensor in getattr(measure, field).items():
            assert torch.equal(tensor, getattr(all_of_it, field)[name])
    assert all(map(torch.equal, net.parameters(), plain.parameters()))


@EVERY
@pytest.mark.parametrize("protect", ["body", ["head.bias", "body.0"], lambda name, p: p.ndim == 2])
def test_what_is_measured_does_not_depend_on_what_else_is(kind, protect):
    """Of one run, watched: a part's importance is that part of the whole's."""
    _, part = trained(kind, strength=0, protect=protect)
    _, whole = trained(kind, strength=0)
    assert 0 < len(part.importance) < len(whole.importance)
    for name, omega in part.importance.items():
        assert torch.equal(omega, whole.importance[name])
        assert torch.equal(part.anchor[name], whole.anchor[name])


@EVERY
def test_only_what_is_protected_is_pulled(kind):
    """Of one SGD step on a loss without a gradient: the others stay where they are."""
    net, measure = trained(kind, strength=1e-3, protect=["body.3"], tasks=1, optimizer=SGD)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(1.0)
    measure.detach()
    if kind is SynapticIntelligence:  # it must not have been moved unseen
        state = measure.state_dict()
        measure = kind(net, strength=1e-3, protect=["body.3"])
        measure.load_state_dict(state | {"weights": {}})
    optimizer = SGD(net.parameters(), lr=0.1)
    measure.attach(optimizer)
    before = copy.deepcopy(net)
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    moved = {n for n, p in net.named_parameters() if not torch.equal(p, before.get_parameter(n))}
    assert moved == {"body.3.weight", "body.3.bias"}
    assert measure.penalty() > 0


@EVERY
def test_a_part_that_trains_with_an_optimizer_of_its_own_is_no_ones_business(kind):
    """What is not protected may be moved by anyone, in any way."""
    net = build()
    optimizers = [SGD(part.parameters(), lr=0.1) for part in (net.body, net.head)]
    measure = kind(net, protect="body").attach(optimizers[0])
    for task in range(2):
        for seed in range(3):
            x, y = batch(seed)
            net.zero_grad()
            F.cross_entropy(net(x), y).backward()
            for optimizer in optimizers:
                optimizer.step()
            with torch.no_grad():
                net.head.bias.clamp_(-0.1, 0.1)
        measure.consolidate([batch(task)])
    assert measure.tasks == 2


# ----------------------------------------------------------------------------- names and rules

@pytest.mark.parametrize(("protect", "expected"), [
    ("head", {"head.weight", "head.bias"}), (["head"], {"head.weight", "head.bias"}),
    (iter(["head.bias"]), {"head.bias"}), ("body.1", {"body.1.weight", "body.1.bias"}),
    ("twin", {"head.weight", "twin.bias"}), (["twin.weight"], {"head.weight"}),
    (lambda name, p: name.startswith("twin"), {"head.weight", "twin.bias"}),
    (lambda name, p: "bias" not in name and p.ndim > 1,
     {"body.0.weight", "body.3.weight", "head.weight"})])
def test_who_is_meant(protect, expected):
    """A module's name means all of its parameters; a tied one is meant by each of its names."""
    assert UniformImportance(build(), protect=protect).importance.keys() == expected


def test_a_name_ends_at_a_dot():
    net = nn.ModuleDict({"head": nn.Linear(2, 2), "head2": nn.Linear(2, 2)})
    assert UniformImportance(net, protect="head").importance.keys() == {"head.weight", "head.bias"}


@pytest.mark.parametrize(("protect", "error", "words"), [
    ("haed", ValueError, "protect names 'haed'.* of this Net: did you mean 'head'"),
    (["head", "body.1.wieght"], ValueError, "did you mean 'body.1.weight'"),
    ("qqqq", ValueError, "it has body, head and twin$"),
    ("body.2", ValueError, "'body.2', a module without parameters"),
    ("", ValueError, "names ''"), ([], ValueError, "meant by protect="),
    ("body.1.running_mean", ValueError, "is a buffer and no parameter"),
    (lambda name, p: False, ValueError, "no parameters to protect"),
    ([3], TypeError, "takes names.* got a int")])
def test_a_choice_that_chooses_nothing_is_refused(protect, error, words):
    with pytest.raises(error, match=words):
        UniformImportance(build(), protect=protect)


def test_a_module_or_parameter_itself_is_no_name():
    net = build()
    with pytest.raises(TypeError, match="got a Linear: write 'head'"):
        UniformImportance(net, protect=[net.head])
    with pytest.raises(TypeError, match=r"got a Parameter: write 'body\.0\.bias'"):
        UniformImportance(net, protect=[net.body[0].bias])
    with pytest.raises(TypeError, match=r"got a [A-Za-z]+$"):  # the whole network has no name
        UniformImportance(net, protect=[net])


def test_in_a_wrapper_the_message_says_the_name_it_has_there():
    wrapped = nn.DataParallel(build())
    with pytest.raises(ValueError, match=r"did you mean 'module\.head'"):
        UniformImportance(wrapped, protect="head")
    assert UniformImportance(wrapped, protect="module.head").importance.keys() == {
        "module.head.weight", "module.head.bias"}


def test_an_optimizer_that_holds_only_what_is_not_protected_is_refused():
    net = build()
    with pytest.raises(ValueError, match="that this measure protects"):
        UniformImportance(net, protect="head").attach(SGD(net.body.parameters(), lr=0.1))


def only_heads(name, p):
    return name.startswith("head")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_protects_the_same(copied):
    net, measure = trained(SynapticIntelligence, protect=only_heads)
    net, measure = copied((net, measure))
    net.head = nn.Linear(6, 3).double()
    assert set(measure.sync_parameters(fresh="head").added) == {"head.weight", "head.bias"}


def test_a_state_belongs_to_what_was_protected_then():
    _, measure = trained(SynapticIntelligence, protect="head")
    other = SynapticIntelligence(build(), protect="head")
    other.load_state_dict(measure.state_dict())
    assert torch.equal(other.importance["head.bias"], measure.importance["head.bias"])
    for wrong in (SynapticIntelligence(build()), SynapticIntelligence(build(), protect="body")):
        with pytest.raises(ValueError, match=r"with the same heads, protect= and frozen layers"):
            wrong.load_state_dict(measure.state_dict())


# ----------------------------------------------------------------------------- frozen parameters

class Adapted(nn.Module):
    """A large frozen base, and a small adapter beside it."""

    def __init__(self):
        super().__init__()
        self.base = nn.Linear(200, 200).requires_grad_(False)
        self.down, self.up = nn.Linear(200, 2, bias=False), nn.Linear(2, 200, bias=False)

    def forward(self, x):
        return (self.base(x) + self.up(self.down(x)))[:, :3]


def numbers(measure):
    """How many numbers a measure holds besides the network's own."""
    return sum(t.numel() for t in tree_leaves(vars(measure)) if isinstance(t, torch.Tensor)
               and not isinstance(t, nn.Parameter))


class Largest(TorchDispatchMode):
    """The size of the largest tensor that any operation makes, views of the network's apart."""

    def __init__(self, net):
        super().__init__()
        self.numbers, self._known = 0, {p.untyped_storage().data_ptr() for p in net.parameters()}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        for t in tree_leaves(result):
            if isinstance(t, torch.Tensor) and t.untyped_storage().data_ptr() not in self._known:
                self.numbers = max(self.numbers, t.numel())
        return result


@EVERY
@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_adapters_on_a_frozen_base_cost_what_adapters_cost(kind, strength):
    """Nothing of the base's size is kept, and in steps and measuring nothing is made, either."""
    net = Adapted()
    small = sum(p.numel() for p in net.parameters() if p.requires_grad)
    with Largest(net) as made:
        measure = kind(net, strength=strength)
    assert numbers(measure) == small * (len(measure._tensor_fields) + (strength > 0)
                                        + (kind is SynapticIntelligence))
    assert made.numbers <= small
    optimizer = SGD(net.parameters(), lr=1e-3)
    measure.attach(optimizer)
    for p in (net.down.weight, net.up.weight):
        p.grad = torch.ones_like(p)
    with Largest(net) as made:
        optimizer.step()
        measure.consolidate([(torch.randn(4, 200), None)])
    assert made.numbers <= 4 * 200  # of a batch, between two layers
    assert measure.importance.keys() == {"down.weight", "up.weight"}
    assert numbers(measure) <= 5 * small


@pytest.mark.parametrize("measured", [fisher_information, output_sensitivity])
def test_of_some_parameters_alone(measured):
    net = build()
    wanted = [net.head.weight, net.body[0].bias]
    some, whole = measured(net, [batch(0)], parameters=wanted), measured(net, [batch(0)])
    assert some.keys() == {"body.0.bias", "head.weight"}
    assert all(torch.equal(value, whole[name]) for name, value in some.items())


@EVERY
def test_a_frozen_parameter_is_left_out_and_so_matters_to_nobody(kind):
    net = build()
    net.body.requires_grad_(False)
    measure = kind(net)
    assert measure.importance.keys() == {"head.weight", "head.bias", "twin.bias"}
    with torch.no_grad():
        net.body[0].weight.add_(1.0)
    learn(net, SGD(net.parameters(), lr=0.1) if kind is not SynapticIntelligence
          else measure.attach(SGD(net.parameters(), lr=0.1)).optimizer, measure, tasks=1)
    assert "body.0.weight" not in measure.state_dict()["anchor"]


def test_a_base_of_whole_numbers_is_no_obstacle():
    """As quantised layers keep them, beside adapters that train."""
    net = nn.Linear(3, 2)
    net.base = nn.Parameter(torch.zeros(4, dtype=torch.int8), requires_grad=False)
    assert UniformImportance(net).importance.keys() == {"weight", "bias"}


@pytest.mark.parametrize(("net", "words"), [
    (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)), "it has 0 and 2$"),
    (nn.Sequential(nn.Linear(2, 2)), "it has 0$"), (nn.Linear(2, 2), "it has weight and bias$")])
def test_without_a_near_name_it_says_what_there_is(net, words):
    with pytest.raises(ValueError, match=words):
        UniformImportance(net, protect="qqqq")
