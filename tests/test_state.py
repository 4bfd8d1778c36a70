"""Copies and states: what comes back, where it may be loaded, and that a new process goes on."""

import copy
import io
import pickle
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Adam

from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    QuadraticPenalty,
    SynapticIntelligence,
    UniformImportance,
)


def sampled(net, seed=3, **settings):
    generator = torch.Generator().manual_seed(seed)
    return ElasticWeightConsolidation(net, labels="sampled", generator=generator, **settings)


MEASURES = {"EWC": ElasticWeightConsolidation, "EWC sampled": sampled,
            "online EWC": partial(ElasticWeightConsolidation, anchors="latest"),
            "MAS": MemoryAwareSynapses, "SI": SynapticIntelligence, "L2": UniformImportance}
EVERY = pytest.mark.parametrize("name", MEASURES)


def built(name, *, optimizer=Adam, seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    optimizer = optimizer(net.parameters(), lr=0.01)
    return net, optimizer, MEASURES[name](net, strength=0.5).attach(optimizer)


def go_on(net, optimizer, measure, first, last):
    """Steps `first` to `last`; after every fourth a task ends."""
    for i in range(first, last):
        generator = torch.Generator().manual_seed(i)
        x = torch.randn(8, 4, generator=generator)
        y = torch.randint(3, (8,), generator=generator)
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
        if i % 4 == 3:
            measure.consolidate([(x, y)])
    return net, optimizer, measure


def bits(net, _, measure):
    state = measure.state_dict()
    return {"net": net.state_dict(), "tasks": state["tasks"], "steps": state["steps"],
            **{field: state[field] for field in measure._tensor_fields}}


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


# -------------------------------------------------------------------------------------- copies

def through_a_file(what):
    file = io.BytesIO()
    torch.save(what, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = pytest.mark.parametrize("copied", [
    copy.deepcopy, lambda what: pickle.loads(pickle.dumps(what)), through_a_file],
    ids=["deepcopy", "pickle", "torch.save"])


class Whole(SGD):
    """An optimizer that is copied with all it holds, its hooks included."""

    def __getstate__(self):
        return self.__dict__


@EVERY
@COPIES
@pytest.mark.parametrize("optimizer", [Adam, Whole])
def test_a_copy_comes_back_detached_and_attached_again_goes_on_like_the_original(
        name, copied, optimizer):
    original = go_on(*built(name, optimizer=optimizer), 0, 6)
    net, optimizer, measure = copied(original)
    assert measure.optimizer is None and original[2].optimizer is original[1]
    assert not [key for key in vars(optimizer) if "penal" in key]
    plain = copy.deepcopy(net), copy.deepcopy(optimizer)
    measure.attach(optimizer)
    go_on(*original, 6, 12)
    assert same(bits(*go_on(net, optimizer, measure, 6, 12)), bits(*original))
    go_on(*plain, QuadraticPenalty(plain[0]), 6, 7)
    assert not torch.equal(plain[0][0].weight, net[0].weight)


@EVERY
@COPIES
def test_a_copy_that_is_not_attached_does_nothing_and_says_so(name, copied):
    net, optimizer, measure = copied(go_on(*built(name), 0, 6))
    plain, steps = copy.deepcopy((net, optimizer)), copy.deepcopy(measure)
    go_on(net, optimizer, measure, 6, 7)
    go_on(*plain, steps, 6, 7)
    assert same(net.state_dict(), plain[0].state_dict()) and measure.steps == 2
    if name == "SI":
        with pytest.raises(RuntimeError, match="is not as this object last saw it"):
            measure.consolidate()
    else:
        with pytest.warns(RuntimeWarning, match="attached to no optimizer"):
            go_on(net, optimizer, measure, 7, 8)


@COPIES
def test_a_change_that_no_account_holds_is_not_forgotten_by_a_copy(copied):
    net, _, si = go_on(*built("SI"), 0, 6)
    with torch.no_grad():
        net[0].weight.mul_(1.5)
    for one in (copied(si), si):
        with pytest.raises(RuntimeError, match=r"'0\.weight' is not as"):
            one.consolidate()


# -------------------------------------------------------------------------------------- states

@EVERY
def test_a_state_says_what_it_is(name):
    _, _, measure = built(name)
    state = measure.state_dict()
    assert state["version"] == 1 and state["measure"] == type(measure).__name__
    assert state.get("anchors") == getattr(measure, "anchors", None)


@pytest.mark.parametrize("mine", MEASURES)
@pytest.mark.parametrize("theirs", MEASURES)
def test_the_state_of_another_measure_is_refused(mine, theirs):
    """EWC with and without a generator, and with other anchors, are others too."""
    state = go_on(*built(theirs), 0, 6)[2].state_dict()
    measure = built(mine)[2]
    if mine == theirs:
        measure.load_state_dict(state)
        assert measure.tasks == 1
        return
    with pytest.raises(ValueError, match=r"not the state of|build the object as before"):
        measure.load_state_dict(state)
    assert measure.tasks == 0 and not any(t.any() for t in measure.importance.values())


def test_the_message_names_what_differs():
    state = built("EWC")[2].state_dict()
    for name, words in (("online EWC", "has anchors 'per_task', not 'latest'"),
                        ("EWC sampled", "saved without a generator")):
        with pytest.raises(ValueError, match=words):
            built(name)[2].load_state_dict(state)
    with pytest.raises(ValueError, match="has measure 'MemoryAwareSynapses', not 'Uniform"):
        built("L2")[2].load_state_dict(built("MAS")[2].state_dict())


def old(state, measure):
    """What version 0 saved of the same."""
    return {key: state[key] for key in ("tasks", "steps", *measure._tensor_fields)}


@EVERY
def test_a_state_from_before_states_had_a_version_is_loaded_with_a_word(name):
    original = go_on(*built(name), 0, 6)
    net, optimizer, measure = built(name)
    position = measure.generator.get_state() if name == "EWC sampled" else None
    net.load_state_dict(original[0].state_dict())
    optimizer.load_state_dict(copy.deepcopy(original[1].state_dict()))
    with pytest.warns(UserWarning, match=f"taken for a {type(measure).__name__}'s"):
        measure.load_state_dict(old(original[2].state_dict(), measure))
    if position is not None:
        assert torch.equal(measure.generator.get_state(), position)
        measure.generator.set_state(original[2].generator.get_state())
    assert same(bits(*go_on(net, optimizer, measure, 6, 12)), bits(*go_on(*original, 6, 12)))


@EVERY
def test_an_old_state_that_does_not_fit_is_refused(name):
    measure = built(name)[2]
    state = old(measure.state_dict(), measure)
    for wrong in (state | {"fisher": {}}, {k: v for k, v in state.items() if k != "anchor"},
                  state | {"anchor": {}}):
        with pytest.raises(ValueError, match=r"not the state|does not fit"):
            measure.load_state_dict(wrong)


def test_a_state_from_the_future_is_refused():
    measure = built("SI")[2]
    with pytest.raises(ValueError, match=r"version 2.*up to 1"):
        measure.load_state_dict(measure.state_dict() | {"version": 2})


def test_what_a_state_holds_can_be_read_without_trust():
    """With `weights_only`, which is PyTorch's default."""
    file = io.BytesIO()
    torch.save({name: built(name)[2].state_dict() for name in MEASURES}, file)
    file.seek(0)
    assert torch.load(file, weights_only=True).keys() == MEASURES.keys()


def test_a_state_of_another_dtype_is_cast():
    """Its weights cannot be compared with these, so nothing is said about them."""
    state = go_on(*built("SI"), 0, 6)[2].state_dict()
    net = built("SI")[0].double()
    si = SynapticIntelligence(net)
    si.load_state_dict(state)
    assert si.path_integral["0.weight"].dtype == torch.float64
    assert si.consolidate().tasks == 2


# --------------------------------------------------------------------------------- a new process

RESUME = """
import sys, warnings
import torch
import test_state

warnings.simplefilter("error")
saved = torch.load(sys.argv[1])
found = {}
for name, states in saved.items():
    things = test_state.built(name, seed=9)
    for thing, state in zip(things, states):
        thing.load_state_dict(state)
    found[name] = test_state.bits(*test_state.go_on(*things, 6, 12))
torch.save(found, sys.argv[2])
"""


def test_a_new_process_goes_on_with_the_same_bits(tmp_path):
    """Each measure, stopped in the midst of its second task."""
    runs = {name: go_on(*built(name), 0, 6) for name in MEASURES}
    torch.save({name: [thing.state_dict() for thing in things] for name, things in runs.items()},
               tmp_path / "saved.pt")
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + RESUME
    subprocess.run([sys.executable, "-c", code, tmp_path / "saved.pt", tmp_path / "found.pt"],
                   check=True, cwd=Path(__file__).parents[1])
    found = torch.load(tmp_path / "found.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, things in runs.items():
            assert same(found[name], bits(*go_on(*things, 6, 12))), name
