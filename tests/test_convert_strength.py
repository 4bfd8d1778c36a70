"""Strengths of other libraries: each library's rule, written out plainly, pulls as ours does.

The rules below are worked out by hand from the libraries' sources; nothing in them is read from
`conventions.jsonl`.
"""

import inspect
from itertools import permutations, product

import pytest
import torch
import torch.nn.functional as F

from si_tutorial.conventions import PACKAGE, convention, conventions, convert_strength
from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    SynapticIntelligence,
)

KEYS = [row.key for row in conventions()]
GIVEN = {"batch_size": 1, "examples": 8, "decay": 0.6, "largest_importance": 5e-4,
         "optimizer": "SGD"}


def data(task):
    """Eight examples of three classes that no linear network can tell apart."""
    generator = torch.Generator().manual_seed(task)
    x = torch.randn(8, 2, generator=generator, dtype=torch.float64)
    return x, torch.tensor([0, 1, 2, 1, 0, 2, 2, 0])


def linear():
    net = torch.nn.Linear(2, 3, bias=False).double()
    generator = torch.Generator().manual_seed(5)
    torch.nn.init.normal_(net.weight, generator=generator)
    return net


def pulls(penalty, weight, displacement):
    """A penalty's value and gradient at a displaced weight."""
    moved = (weight.detach() + displacement).requires_grad_()
    value = penalty(moved)
    return torch.cat([value.detach()[None], torch.autograd.grad(value, moved)[0].flatten()])


def ours(measure, net, displacement):
    measure.detach()
    with torch.no_grad():
        net.weight += displacement
    value = measure.penalty()
    grad, = torch.autograd.grad(value, net.weight)
    return torch.cat([value.detach()[None], grad.flatten()])


DISPLACEMENT = torch.tensor([[0.3, -0.2], [0.1, 0.4], [-0.5, 0.2]], dtype=torch.float64)

# --------------------------------------------------------------------------- SI, two tasks long

# factor of the penalty, what a step is credited, what importance becomes of it
SI = {"avalanche-si": (0.5, lambda total, task, step, lr: -total * step,
                       lambda omega: omega.clamp(max=0.001)),
      "van-de-ven-si": (1.0, lambda total, task, step, lr: -total * step, lambda omega: omega),
      "mammoth-si-before-2024-09": (1.0, lambda total, task, step, lr: lr * total**2,
                                    lambda omega: omega),
      "mammoth-si": (1.0, lambda total, task, step, lr: -task * step, lambda omega: omega)}
LR, SMALL = 0.05, 0.05


def scaled(key):
    """Of inputs and damping: importances small enough where those above 0.001 are cut off."""
    return (SMALL, 100.0) if key == "avalanche-si" else (1.0, 1.0)


def library_si(key, strength, make):
    """Train on two tasks with the penalty in the loss. Returns the network and the penalty."""
    half, credit, kept = SI[key]
    size, damping = scaled(key)
    net = linear()
    optimizer = make(net.parameters(), lr=LR)
    anchor, total, importance = net.weight.detach().clone(), 0.0, torch.zeros(3, 2).double()

    def penalty(weight):
        return half * strength * (importance * (weight - anchor) ** 2).sum()

    for task in (0, 1):
        x, y = data(task)
        omega = torch.zeros_like(importance)
        for i in range(40):
            rows = slice(4 * (i % 2), 4 * (i % 2) + 4)
            loss = F.cross_entropy(net(size * x[rows]), y[rows])
            task_grad, = torch.autograd.grad(loss, net.weight, retain_graph=True)
            before = net.weight.detach().clone()
            optimizer.zero_grad()
            (loss + penalty(net.weight)).backward()
            optimizer.step()
            omega += credit(net.weight.grad, task_grad, net.weight.detach() - before, LR)
        total = total + omega / ((net.weight.detach() - anchor) ** 2 + damping)
        importance, anchor = kept(total), net.weight.detach().clone()
    return net, penalty, importance


def our_si(key, strength, make):
    net, (size, damping) = linear(), scaled(key)
    optimizer = make(net.parameters(), lr=LR)
    si = SynapticIntelligence(net, strength=strength, damping=damping, **convention(key).here)
    si.attach(optimizer)
    for task in (0, 1):
        x, y = data(task)
        for i in range(40):
            rows = slice(4 * (i % 2), 4 * (i % 2) + 4)
            optimizer.zero_grad()
            F.cross_entropy(net(size * x[rows]), y[rows]).backward()
            optimizer.step()
        si.consolidate()
    return net, si


@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.Adam])
@pytest.mark.parametrize("key", SI)
def test_two_tasks_with_a_library_s_si_are_two_tasks_with_ours(key, make):
    """The same weights, and the same pull on them; not where the old mammoth has Adam."""
    theirs, penalty, importance = library_si(key, 2.0, make)
    here = convert_strength(2.0, key, optimizer="SGD", largest_importance=5e-4)
    net, si = our_si(key, here, make)
    same = key != "mammoth-si-before-2024-09" or make is torch.optim.SGD
    close = torch.allclose(net.weight, theirs.weight, rtol=1e-9)
    assert close == same
    there = pulls(penalty, theirs.weight, DISPLACEMENT)
    assert torch.allclose(ours(si, net, DISPLACEMENT), there, rtol=1e-8, atol=0) == same
    assert key != "avalanche-si" or importance.max() < 0.001


def test_where_avalanche_cuts_importances_off_no_factor_makes_the_pull_the_same(monkeypatch):
    monkeypatch.setitem(globals(), "SMALL", 1.0)
    theirs, penalty, importance = library_si("avalanche-si", 1e-9, torch.optim.SGD)
    net, si = our_si("avalanche-si", 1e-9, torch.optim.SGD)
    assert importance.max() == 0.001
    ratio = pulls(penalty, theirs.weight, DISPLACEMENT) / ours(si, net, DISPLACEMENT)
    assert ratio.max() > 1.2 * ratio.min()
    for largest in (0.001, 0.0):
        with pytest.raises(ValueError, match=r"cut off there at 0\.001, and on a CPU"):
            convert_strength(1.0, "avalanche-si", largest_importance=largest)


# ------------------------------------------------------------------------ EWC and MAS, by data

def example_grads(net, x, y):
    """The gradient of each example's loss, (examples, *shape)."""
    return torch.stack([torch.autograd.grad(F.cross_entropy(net(x[None]), y[None]), net.weight)[0]
                        for x, y in zip(x, y, strict=True)])


def over_labels(net, x):
    """For each example the mean over the network's own labels of the squared gradient."""
    return torch.stack([sum(net(one).softmax(0)[c].detach() * example_grads(
        net, one[None], torch.tensor([c]))[0] ** 2 for c in range(3)) for one in x])


def settled():
    """A network at the minimum of its first task's loss, where the mean gradient is zero."""
    net, (x, y) = linear(), data(0)
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=200, tolerance_grad=1e-12,
                                  tolerance_change=0)

    def loss():
        optimizer.zero_grad()
        value = F.cross_entropy(net(x), y)
        value.backward()
        return value

    optimizer.step(loss)
    assert net.weight.grad.abs().max() < 1e-9
    return net


def avalanche_ewc(net, batch_size):
    """Squared gradients of batches, over all batches that can be drawn."""
    grads = example_grads(net, *data(0))
    batches = [grads[list(rows)].mean(0) ** 2 for rows in product(range(8), repeat=batch_size)]
    return torch.stack(batches).mean(0)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_avalanche_s_ewc_at_a_minimum(batch_size):
    net = settled()
    importance, anchor = avalanche_ewc(net, batch_size), net.weight.detach().clone()
    there = pulls(lambda w: 7.0 * (importance * (w - anchor) ** 2).sum(), anchor, DISPLACEMENT)
    here = convert_strength(7.0, "avalanche-ewc", batch_size=batch_size)
    ewc = ElasticWeightConsolidation(net, strength=here, **convention("avalanche-ewc").here)
    ewc.consolidate([data(0)])
    torch.testing.assert_close(ours(ewc, net, DISPLACEMENT), there, rtol=1e-6, atol=0)


def test_avalanche_s_ewc_anywhere_at_batch_size_one():
    net = linear()
    importance, anchor = avalanche_ewc(net, 1), net.weight.detach().clone()
    there = pulls(lambda w: 7.0 * (importance * (w - anchor) ** 2).sum(), anchor, DISPLACEMENT)
    ewc = ElasticWeightConsolidation(net, strength=convert_strength(
        7.0, "avalanche-ewc", batch_size=1), labels="true").consolidate([data(0)])
    torch.testing.assert_close(ours(ewc, net, DISPLACEMENT), there)


@pytest.mark.filterwarnings("ignore:parameter 'weight' was changed:RuntimeWarning")
@pytest.mark.parametrize("key", ["van-de-ven-ewc", "van-de-ven-online-ewc"])
def test_van_de_ven_s_ewc(key):
    """After two tasks; it divides by the number of examples less one."""
    online, gamma = key == "van-de-ven-online-ewc", 0.6
    net = linear()
    here = convert_strength(7.0, key, examples=8, decay=gamma)
    ewc = ElasticWeightConsolidation(net, strength=here, decay=gamma if online else 1.0,
                                     **convention(key).here)
    kept = []
    for task in (0, 1):
        with torch.no_grad():
            net.weight += 0.2 * task
        kept.append((over_labels(net, data(task)[0]).sum(0) / 7, net.weight.detach().clone()))
        ewc.consolidate([data(task)])
    (f1, w1), (f2, w2) = kept

    def penalty(w):
        if online:
            return 7.0 / 2 * (gamma * (f2 + gamma * f1) * (w - w2) ** 2).sum()
        return 7.0 / 2 * ((f1 * (w - w1) ** 2).sum() + (f2 * (w - w2) ** 2).sum())

    there = pulls(penalty, w2, DISPLACEMENT)
    found = ours(ewc, net, DISPLACEMENT)
    torch.testing.assert_close(found[1:], there[1:])
    if online:  # of several penalties ours leaves out a constant
        torch.testing.assert_close(found[0], there[0])


def output_slopes(net, batches):
    x = data(0)[0]
    return torch.stack([torch.autograd.grad(net(x[list(rows)]).square().sum(1).mean(),
                                            net.weight)[0].abs() for rows in batches]).mean(0)


def test_avalanche_s_mas():
    net = linear()
    importance, anchor = output_slopes(net, [[i] for i in range(8)]), net.weight.detach().clone()
    there = pulls(lambda w: 7.0 * (importance * (w - anchor) ** 2).sum(), anchor, DISPLACEMENT)
    mas = MemoryAwareSynapses(net, strength=convert_strength(7.0, "avalanche-mas", batch_size=1))
    mas.consolidate([data(0)])
    torch.testing.assert_close(ours(mas, net, DISPLACEMENT), there)


def test_avalanche_s_mas_with_larger_batches_is_no_multiple_of_ours():
    net = linear()
    ratio = (output_slopes(net, permutations(range(8), 2))
             / output_slopes(net, [[i] for i in range(8)]))
    assert ratio.max() > 1.2 * ratio.min()
    with pytest.raises(ValueError, match="only for batch_size=1, not 2"):
        convert_strength(1.0, "avalanche-mas", batch_size=2)


def test_mammoth_s_online_ewc_is_no_multiple_of_ours():
    net, (x, y) = linear(), data(0)
    squares = example_grads(net, x, y) ** 2
    sure = net(x).softmax(1)[torch.arange(8), y].detach()[:, None, None]
    ratio = (sure * squares).mean(0) / squares.mean(0)
    assert ratio.max() > 1.2 * ratio.min()
    for source, target in (("mammoth-online-ewc", PACKAGE), (PACKAGE, "mammoth-online-ewc"),
                           ("avalanche-ewc", "mammoth-online-ewc")):
        with pytest.raises(ValueError, match="mammoth-online-ewc does not convert: it weights"):
            convert_strength(1.0, source, target, batch_size=1)


def test_every_row_is_tested_here():
    tested = {*SI, "avalanche-ewc", "van-de-ven-ewc", "van-de-ven-online-ewc", "avalanche-mas",
              "mammoth-online-ewc"}
    assert tested == set(KEYS) and len(KEYS) == len(set(KEYS))


# --------------------------------------------------------------------------- what it asks for

@pytest.mark.parametrize("key", [key for key in KEYS if not convention(key).never])
def test_what_a_factor_depends_on_is_asked_for_and_nothing_else(key):
    needed = convention(key).depends_on
    enough = {name: GIVEN[name] for name in needed}
    assert convert_strength(2.0, key, **enough) > 0
    for name in needed:
        less = {other: value for other, value in enough.items() if other != name}
        for ends in ((key, PACKAGE), (PACKAGE, key)):
            with pytest.raises(ValueError, match=f"{key} depends on {name}: give {name}="):
                convert_strength(2.0, *ends, **less)


@pytest.mark.parametrize("key", [key for key in KEYS if not convention(key).never])
def test_there_and_back_and_by_way_of_the_package(key):
    here = convert_strength(2.0, key, **GIVEN)
    assert convert_strength(here, PACKAGE, key, **GIVEN) == pytest.approx(2.0)
    assert convert_strength(2.0, key, key, **GIVEN) == pytest.approx(2.0)
    assert convert_strength(0.0, key, **GIVEN) == 0.0
    assert convert_strength(6.0, key, **GIVEN) == pytest.approx(3 * here)


def test_from_one_library_to_another():
    assert convert_strength(10.0, "avalanche-si", "mammoth-si", largest_importance=1e-4) == 5.0
    assert convert_strength(3.0, PACKAGE) == 3.0


def test_the_numbers_in_the_documentation():
    assert convert_strength(10.0, "avalanche-ewc", batch_size=64) == 0.3125
    assert "# here: 0.3125" in inspect.getdoc(convert_strength)


@pytest.mark.parametrize(("ends", "message"), [
    (("avalanche-si", "avalanche-ewc"), "SI and avalanche-ewc EWC: .* no factor"),
    (("avalanche-mas", "van-de-ven-si"), "MAS and van-de-ven-si SI"),
    (("avalanche-ewc", "van-de-ven-ewc"), "true labels and van-de-ven-ewc with expected"),
    (("avalanche-sy",), r"did you mean avalanche-si.*\?$"),
    (("Avalanche", "nothing"), "no library"),
    (("qqqq",), "known as 'qqqq': known are .*, van-de-ven-si[^?]*$")])
def test_what_does_not_convert_at_all_is_refused(ends, message):
    with pytest.raises(ValueError, match=message):
        convert_strength(1.0, *ends, **GIVEN)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"examples": 1}, {"decay": -0.1},
                                   {"largest_importance": float("nan")}, {"value": -1.0},
                                   {"value": float("inf")}])
def test_numbers_that_cannot_be_are_refused_by_name(wrong):
    name, number = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name} must be a finite number of at least .*{number}"):
        convert_strength(**({"value": 1.0, "source": PACKAGE} | wrong))


def test_another_optimizer_than_sgd_is_refused():
    with pytest.raises(ValueError, match="only for optimizer='SGD', not 'Adam'"):
        convert_strength(1.0, "mammoth-si-before-2024-09", optimizer="Adam")
