"""sync_parameters(): a network that changes between tasks keeps what is its own, and no more."""

import copy
import pickle
import warnings

import pytest
import torch
import torch.nn.functional as F
from kinds import EVERY, KINDS
from torch import nn
from torch.optim import SGD, Adam

from si_tutorial.importance import (
    SynapticIntelligence,
    UniformImportance,
)

MEASURING = pytest.mark.parametrize("kind", KINDS[:3])  # what is zero where nothing happened


class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.body, self.head = nn.Linear(4, 6), nn.Linear(6, classes)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


def build(classes=3):
    torch.manual_seed(0)
    return Net(classes).double()


def batch(seed, classes=3):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(8, 4, generator=generator, dtype=torch.float64)
    return x, torch.randint(classes, (8,), generator=generator)


def step(net, optimizer, seed=0, classes=3):
    x, y = batch(seed, classes)
    optimizer.zero_grad()
    F.cross_entropy(net(x)[:, :classes], y).backward()
    optimizer.step()


def train(net, optimizer, *, task=0, steps=4, classes=3):
    for seed in range(steps):
        step(net, optimizer, 10 * task + seed, classes)


def after_one_task(kind, *, strength=0.5, net=None, **settings):
    net = net or build()
    optimizer = Adam(net.parameters(), lr=0.01)
    measure = kind(net, strength=strength, **settings).attach(optimizer)
    train(net, optimizer)
    return net, optimizer, measure.consolidate([batch(0)], forward=lambda x: net(x)[:, :3])


@torch.no_grad()
def grow(net, rows=2, *, order=None, in_place=False):
    """A head with more rows: the old ones first, then zeros."""
    old = net.head
    new = nn.Linear(6, old.out_features + rows).double()
    for mine, theirs in zip(new.parameters(), old.parameters(), strict=True):
        mine.zero_()[:len(theirs)] = theirs if order is None else theirs[order]
    if in_place:
        old.weight.data, old.bias.data = new.weight.data, new.bias.data
    else:
        net.head = new


def new_head(net, classes=3):
    torch.manual_seed(7)
    net.head = nn.Linear(6, classes).double()


def fields(measure):
    return {field: {n: t.clone() for n, t in getattr(measure, field).items()}
            for field in measure._tensor_fields}


def assert_refused(measure, match, do=None, error=RuntimeError):
    """It raises, and the measure is as it was."""
    before, names = fields(measure), list(measure._params)
    with pytest.raises(error, match=match):
        (do or measure.sync_parameters)()
    assert list(measure._params) == names
    for field, tensors in fields(measure).items():
        assert tensors.keys() == before[field].keys()
        assert all(torch.equal(t, before[field][n]) for n, t in tensors.items())


def assert_as_new(measure, net, names):
    for name in names:
        assert not measure.importance[name].any()
        assert torch.equal(measure.anchor[name], net.get_parameter(name))


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --------------------------------------------------------------------------- added and removed

@EVERY
@pytest.mark.parametrize("attached", [True, False])
def test_what_was_added_begins_at_zero_and_what_was_removed_is_forgotten(kind, attached):
    net, optimizer, measure = after_one_task(kind)
    if not attached:
        measure.detach()
    kept = fields(measure)
    net.second, net.head = nn.Linear(6, 2).double(), nn.Identity()
    assert measure.sync_parameters() == (("second.weight", "second.bias"),
                                         ("head.weight", "head.bias"), (), {})
    assert_as_new(measure, net, ["second.weight", "second.bias"])
    for field, tensors in fields(measure).items():
        assert set(tensors) == {n for n, _ in net.named_parameters()}
        assert all(torch.equal(tensors[n], kept[field][n]) for n in ("body.weight", "body.bias"))
    assert measure.sync_parameters() == ((), (), (), {})
    assert (measure.optimizer is optimizer) == attached


@EVERY
def test_one_measured_in_a_task_is_protected_in_the_next(kind):
    """A head that comes with the second task, on a body that the first one has left its mark on."""
    net, _, measure = after_one_task(kind)
    net.head = nn.Linear(6, 3).double()
    measure.sync_parameters(fresh=["head"])
    measure.detach().attach(optimizer := SGD(net.parameters(), lr=0.01))
    train(net, optimizer, task=1)
    measure.consolidate([batch(10)])
    assert measure.tasks == 2 and all(t.any() for t in measure.importance.values())
    train(net, optimizer, task=2)
    assert measure.penalty() > 0


# ------------------------------------------------------------------------------------- growing

@MEASURING
@pytest.mark.parametrize("in_place", [False, True])
def test_growing_a_head_is_having_had_the_rows_from_the_start(kind, in_place):
    """The twin's last two rows were there, at zero, and touched by nothing in the first task."""
    net, optimizer, measure = after_one_task(kind)
    big = build()
    grow(big)
    twin, other, twins = after_one_task(kind, net=big)
    grow(net, in_place=in_place)
    assert measure.sync_parameters().resized == ("head.weight", "head.bias")
    optimizer, other = (SGD(n.parameters(), lr=0.05) for n in (net, twin))
    measure.detach().attach(optimizer)
    twins.detach().attach(other)
    for task in (1, 2):
        for n, o, m in ((net, optimizer, measure), (twin, other, twins)):
            train(n, o, task=task, classes=5)
            m.consolidate([batch(10 * task)])
        assert measure.importance["head.weight"].shape == (5, 6)
        for field, tensors in fields(measure).items():
            for name, tensor in tensors.items():
                torch.testing.assert_close(tensor, getattr(twins, field)[name],
                                           rtol=1e-9, atol=1e-12)
    for mine, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


@EVERY
def test_old_rows_keep_all_and_new_rows_are_new(kind):
    net, _, measure = after_one_task(kind)
    before = fields(measure)
    grow(net, rows=4)
    with torch.no_grad():
        net.head.weight[3:] = 1.5
    measure.sync_parameters()
    for field, tensors in fields(measure).items():
        assert torch.equal(tensors["head.weight"][:3], before[field]["head.weight"])
    assert not measure.importance["head.weight"][3:].any()
    assert (measure.anchor["head.weight"][3:] == 1.5).all()


@EVERY
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("order", [[1, 0, 2], [2, 1, 0], [1, 2, 0], [0, 0, 2]])
def test_rows_out_of_order_are_refused(kind, order, in_place):
    net, _, measure = after_one_task(kind)
    grow(net, order=order, in_place=in_place)
    assert_refused(measure, r"'head.weight' has grown from 3 to 5 rows, and its first 3 are not "
                            r"bit for bit .* copy the old rows.* fresh=\['head.weight'\]")
    assert_refused(measure, "sync_parameters", lambda: measure.consolidate([batch(0)]))


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0], [0.5, 0.25, 0.125], [-1.0, 1.0, 0.0],
                                    [2.0**1000, 2.0**-1000, -2.0**-1000]])
@pytest.mark.parametrize("order", [[1, 0, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1], [2, 1, 0]])
def test_rows_of_round_numbers_out_of_order_are_refused_too(values, order):
    """Their bits lie at equal distances, where a plain sum over places could be the same."""
    net = build()
    with torch.no_grad():
        net.head.bias.copy_(torch.tensor(values, dtype=torch.float64))
        net.head.weight.zero_()
    measure = UniformImportance(net).consolidate()
    grow(net, order=order)
    assert_refused(measure, "'head.bias' has grown")


@EVERY
def test_a_change_in_the_last_bit_of_one_row_is_refused(kind):
    net, _, measure = after_one_task(kind)
    grow(net)
    with torch.no_grad():
        row = net.head.bias[1]
        net.head.bias[1] = torch.nextafter(row, row + 1)
    assert_refused(measure, "'head.bias' has grown from 3 to 5 rows")


@pytest.mark.parametrize("layer", [nn.Linear(6, 2), nn.Linear(5, 4), nn.Conv1d(6, 4, 1)])
def test_a_shape_that_did_not_grow_at_its_first_axis_is_refused(layer):
    net, _, measure = after_one_task(SynapticIntelligence)
    net.head = layer.double()
    assert_refused(measure, "'head.weight' has shape .* and had .3, 6.: only its first axis")
    measure.sync_parameters(fresh=["head"])
    assert measure.importance["head.weight"].shape == layer.weight.shape


@EVERY
def test_a_scalar_and_an_empty_layer_go_along(kind):
    net = build()
    net.scale = nn.Parameter(torch.tensor(1.0).double())
    net.empty = nn.Module()
    net.empty.bias = nn.Parameter(torch.zeros(0).double())
    measure = kind(net, strength=0.5)
    net.empty = nn.Linear(6, 2).double()
    net.scale = nn.Parameter(net.scale.detach().clone())
    assert measure.sync_parameters()[:3] == (("empty.weight",), (), ("empty.bias",))


# ------------------------------------------------------------------- another one of the same name

@EVERY
def test_a_new_head_of_the_same_name_does_not_inherit(kind):
    net, _, measure = after_one_task(kind)
    new_head(net)
    assert_refused(measure, r"'head.weight' was replaced, and its values are not bit for bit")
    found = measure.sync_parameters(fresh=["head"])
    assert set(found.added) == set(found.removed) == {"head.weight", "head.bias"}
    assert_as_new(measure, net, found.added)


@EVERY
def test_a_bigger_new_head_does_not_inherit_either(kind):
    net, _, measure = after_one_task(kind)
    new_head(net, classes=5)
    assert_refused(measure, r"'head.weight' has grown")
    measure.sync_parameters(fresh="head")
    assert_as_new(measure, net, ["head.weight", "head.bias"])


@EVERY
def test_an_equal_copy_inherits(kind):
    """As after `copy.deepcopy` of a part, or a layer rebuilt and loaded."""
    net, _, measure = after_one_task(kind)
    before = fields(measure)
    net.head = copy.deepcopy(net.head)
    assert measure.sync_parameters() == ((), (), (), {})
    assert all(torch.equal(t, before[field][n]) for field, tensors in fields(measure).items()
               for n, t in tensors.items())
    measure.detach().attach(optimizer := SGD(net.parameters(), lr=0.01))
    train(net, optimizer, task=1)
    assert measure.penalty() > 0


@EVERY
def test_a_head_started_again_in_place_is_fresh_where_it_is_named(kind):
    net, optimizer, measure = after_one_task(kind)
    torch.manual_seed(3)
    net.head.reset_parameters()
    if kind is SynapticIntelligence:
        assert_refused(measure, "is not as this object last saw", lambda: step(net, optimizer))
    measure.sync_parameters(fresh=["head"])
    assert_as_new(measure, net, ["head.weight", "head.bias"])
    train(net, optimizer, task=1)
    assert measure.consolidate([batch(10)]).tasks == 2


@EVERY
def test_a_parameter_that_only_changes_its_name_keeps_everything(kind):
    net, _, measure = after_one_task(kind)
    before = fields(measure)
    net.heads, net.head = nn.ModuleList([net.head]), nn.Identity()
    found = measure.sync_parameters()
    assert found.renamed == {"head.weight": "heads.0.weight", "head.bias": "heads.0.bias"}
    assert found[:3] == ((), (), ())
    for field, tensors in fields(measure).items():
        assert torch.equal(tensors["heads.0.weight"], before[field]["head.weight"])


@EVERY
def test_two_heads_that_change_places_keep_their_own(kind):
    net = nn.ModuleDict({"a": nn.Linear(4, 2), "b": nn.Linear(4, 2)}).double()
    measure = kind(net)
    for name, value in (("a", 1.0), ("b", 2.0)):
        measure.importance[f"{name}.weight"].fill_(value)
    net["a"], net["b"] = net["b"], net["a"]
    assert measure.sync_parameters().renamed["a.weight"] == "b.weight"
    assert (measure.importance["a.weight"] == 2).all()


@EVERY
def test_a_name_taken_over_by_another_while_its_owner_moves_is_new(kind):
    net, _, measure = after_one_task(kind)
    net.old, net.head = net.head, nn.Linear(6, 3).double()
    found = measure.sync_parameters()
    assert found.added == ("head.weight", "head.bias") and len(found.renamed) == 2
    assert_as_new(measure, net, found.added)


def test_a_tied_weight_stays_one_parameter():
    """Untied, the copy begins anew where it was named, and is refused where it was not."""
    net = build()
    net.again = nn.Linear(6, 3).double()
    net.again.weight = net.head.weight
    measure = UniformImportance(net).consolidate()
    assert "again.weight" not in measure.importance
    assert measure.sync_parameters() == ((), (), (), {})
    net.again.weight = nn.Parameter(net.head.weight.detach().clone())
    assert measure.sync_parameters().added == ("again.weight",)
    net.head.weight = net.again.weight  # tied anew, to the other
    assert measure.sync_parameters().renamed == {"again.weight": "head.weight"}


# ------------------------------------------------------------------------- frozen and unfrozen

@EVERY
@pytest.mark.parametrize("task", [0, 1])
def test_a_parameter_unfrozen_without_the_call_is_refused_at_the_first_step(kind, task):
    net = build()
    net.body.requires_grad_(False)
    if task:
        net, optimizer, measure = after_one_task(kind, net=net)
    else:
        optimizer = Adam(net.parameters(), lr=0.01)
        measure = kind(net).attach(optimizer)
    net.body.requires_grad_(True)
    assert_refused(measure, r"'body.weight' .* no longer frozen.*sync_parameters\(\)",
                   lambda: step(net, optimizer))
    assert measure.sync_parameters().added == ("body.weight", "body.bias")
    assert_as_new(measure, net, ["body.weight", "body.bias"])
    train(net, optimizer, task=1)
    measure.consolidate([batch(10)])
    assert measure.importance["body.weight"].any()


@EVERY
def test_unfrozen_in_the_midst_of_a_task_is_refused_at_the_next_step(kind):
    net = build()
    net.body.requires_grad_(False)
    net, optimizer, measure = after_one_task(kind, net=net)
    train(net, optimizer, task=1)
    net.body.bias.requires_grad_(True)
    assert_refused(measure, "'body.bias' .* put the network back", lambda: step(net, optimizer))
    assert_refused(measure, r"under way \(4 steps seen\): call it directly after consolidate")
    net.body.requires_grad_(False)
    assert measure.consolidate([batch(10)]).tasks == 2
    net.body.requires_grad_(True)
    assert measure.sync_parameters().added == ("body.weight", "body.bias")


@EVERY
def test_what_is_frozen_later_keeps_its_importance_for_later_still(kind):
    net, optimizer, measure = after_one_task(kind)
    before = fields(measure)
    net.body.requires_grad_(False)
    assert measure.sync_parameters() == ((), (), (), {})
    train(net, optimizer, task=1)
    measure.consolidate([batch(10)])
    net.body.requires_grad_(True)
    assert measure.sync_parameters() == ((), (), (), {})
    assert (measure.importance["body.weight"] >= before["importance"]["body.weight"]).all()
    train(net, optimizer, task=2)
    assert measure.penalty() > 0


def test_what_protect_does_not_mean_may_come_and_go():
    net, optimizer, measure = after_one_task(SynapticIntelligence, protect="body")
    net.head.requires_grad_(False)
    train(net, optimizer, task=1)
    measure.consolidate()
    net.head = nn.Linear(6, 7).double()
    optimizer.add_param_group({"params": net.head.parameters()})
    train(net, optimizer, task=2)
    assert measure.consolidate().tasks == 3 and measure.sync_parameters() == ((), (), (), {})


@EVERY
def test_protect_decides_about_what_is_added_too(kind):
    net, _, measure = after_one_task(kind, protect=["body", "head"])
    net.extra, net.head = nn.Linear(6, 2).double(), nn.ModuleList([nn.Linear(6, 2).double()])
    assert measure.sync_parameters().added == ("head.0.weight", "head.0.bias")


# ------------------------------------------------------------------------- without the call

@EVERY
@pytest.mark.parametrize("change", [
    new_head, grow, lambda net: grow(net, in_place=True),
    lambda net: setattr(net, "extra", nn.Linear(6, 2).double()),
    lambda net: setattr(net, "body", nn.Sequential(net.body))],
    ids=["replaced", "grown", "grown in place", "added", "renamed"])
def test_a_changed_network_without_the_call_is_refused_at_the_first_step(kind, change):
    net, optimizer, measure = after_one_task(kind)
    change(net)
    optimizer.add_param_group({"params": [p for p in net.parameters() if all(
        p is not q for group in optimizer.param_groups for q in group["params"])]})
    weights = [p.detach().clone() for p in net.parameters()]
    assert_refused(measure, r"call sync_parameters\(\), directly after consolidate",
                   lambda: step(net, optimizer))
    assert all(map(torch.equal, weights, net.parameters()))
    measure.detach()
    assert_refused(measure, "sync_parameters", lambda: measure.attach(optimizer))


@EVERY
def test_so_it_is_in_a_loop_that_adds_the_penalty_to_the_loss(kind):
    net, _, measure = after_one_task(kind)
    measure.detach()
    new_head(net)
    assert_refused(measure, r"call sync_parameters\(\)", measure.penalty)
    measure.sync_parameters(fresh=["head"])
    assert measure.penalty().requires_grad


@EVERY
def test_a_head_that_comes_in_the_midst_of_a_task_is_refused_at_its_first_step(kind):
    net, optimizer, measure = after_one_task(kind)
    train(net, optimizer, task=1)
    net.extra = nn.Linear(6, 2).double()
    optimizer.add_param_group({"params": net.extra.parameters()})
    assert_refused(measure, "'extra.weight' was added", lambda: step(net, optimizer))


@EVERY
def test_an_unknown_name_is_refused_with_names_that_are_near(kind):
    _, _, measure = after_one_task(kind)
    assert_refused(measure, "fresh names 'haed'.* did you mean 'head'", error=ValueError,
                   do=lambda: measure.sync_parameters(fresh=["haed"]))


def test_a_network_with_nothing_left_to_protect_is_refused():
    net, _, measure = after_one_task(SynapticIntelligence)
    net.body = net.head = nn.Identity()
    assert_refused(measure, "no parameters to protect", error=ValueError)


def test_after_an_interrupted_step_detach_comes_first():
    net, optimizer, measure = after_one_task(SynapticIntelligence)
    optimizer.register_step_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        step(net, optimizer)
    assert_refused(measure, r"interrupted step call detach\(\) first")
    assert measure.detach().sync_parameters() == ((), (), (), {})


@pytest.mark.parametrize("change", [nn.Module.float, nn.Module.bfloat16])
def test_another_dtype_is_refused_in_the_usual_words(change):
    net, _, measure = after_one_task(SynapticIntelligence)
    net.head = change(copy.deepcopy(net.head))
    assert_refused(measure, "'head.weight' is now .* move the network first")


# -------------------------------------------------------------------------- copies and states

@EVERY
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_follows_its_own_network(kind, copied):
    net, _, measure = copied(after_one_task(kind))
    grow(net, order=[1, 0, 2])
    assert_refused(measure, "has grown")
    grow_back = copied(after_one_task(kind))
    grow(grow_back[0])
    assert grow_back[2].sync_parameters().resized == ("head.weight", "head.bias")


@EVERY
def test_stopped_before_the_change_and_gone_on_after_it(kind):
    """A new process builds the old network, loads, and then changes it: the same bits."""
    def later(net, measure):
        grow(net)
        net.second = nn.Linear(6, 2).double()
        with torch.no_grad():
            for p in net.second.parameters():
                p.fill_(0.5)
        measure.sync_parameters()
        measure.detach().attach(optimizer := Adam(net.parameters(), lr=0.01))
        train(net, optimizer, task=1, classes=5)
        return measure.consolidate([batch(10)])

    net, _, measure = after_one_task(kind)
    saved = copy.deepcopy((net.state_dict(), measure.state_dict()))
    other = build()
    another = kind(other, strength=0.5)
    other.load_state_dict(saved[0])
    another.load_state_dict(saved[1])
    one, two = fields(later(net, measure)), fields(later(other, another))
    assert one.keys() == two.keys()
    assert all(torch.equal(t, two[field][n]) for field in one for n, t in one[field].items())


@EVERY
def test_stopped_after_the_change_the_state_fits_the_changed_network(kind):
    net, _, measure = after_one_task(kind)
    grow(net)
    with pytest.raises(ValueError, match="does not fit this network"):
        kind(net).load_state_dict(measure.state_dict())
    measure.sync_parameters()
    other = build(5)
    other.load_state_dict(net.state_dict())
    again = kind(other)
    again.load_state_dict(measure.state_dict())
    assert torch.equal(again.importance["head.weight"], measure.importance["head.weight"])
    other.head = copy.deepcopy(other.head)
    assert again.sync_parameters() == ((), (), (), {})  # it remembers what it last saw


def test_without_a_record_of_the_values_nothing_inherits():
    net, _, measure = after_one_task(UniformImportance)
    measure.load_state_dict(measure.state_dict() | {"weights": {}})
    net.head = copy.deepcopy(net.head)
    assert_refused(measure, "'head.weight' was replaced")


@EVERY
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_narrow_parameters_grow_with_wide_importance(kind, dtype):
    net = build().to(dtype)
    measure = kind(net, strength=0.5)
    old = net.head
    net.head = nn.Linear(6, 5).to(dtype)
    with torch.no_grad():
        net.head.weight[:3], net.head.bias[:3] = old.weight, old.bias
    measure.sync_parameters()
    assert measure.importance["head.weight"].dtype == torch.float32
    assert torch.equal(measure.anchor["head.weight"], net.head.weight.float())


@EVERY
def test_what_is_added_frozen_is_left_out_until_it_is_thawed(kind):
    net, optimizer, measure = after_one_task(kind)
    net.extra = nn.Linear(6, 2).double().requires_grad_(False)
    assert measure.sync_parameters() == ((), (), (), {})
    assert "extra.weight" not in measure.importance
    train(net, optimizer, task=1)
    net.extra.requires_grad_(True)
    assert_refused(measure, "'extra.weight' .* put the network back", lambda: step(net, optimizer))


def test_one_step_is_one_step():
    net, optimizer, measure = after_one_task(SynapticIntelligence)
    step(net, optimizer)
    assert_refused(measure, r"this one is under way \(1 step seen\)")
