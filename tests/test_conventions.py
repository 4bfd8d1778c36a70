"""Strengths of other libraries: the penalty that theirs makes is the one that ours makes."""

import json
from pathlib import Path

import pytest
import torch

from si_tutorial.conventions import Convention, conventions
from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    SynapticIntelligence,
)

MEASURES = {"EWC": ElasticWeightConsolidation, "SI": SynapticIntelligence,
            "online EWC": lambda net, **how: ElasticWeightConsolidation(
                net, anchors="latest", decay=0.6, **how),
            "MAS": MemoryAwareSynapses}
WHAT_IT_KEEPS = {"EWC": 0.5, "online EWC": 0.5, "SI": 1.0, "MAS": 1.0}  # of the library's I
EACH = pytest.mark.parametrize("row", conventions(), ids=lambda row: "-".join(row[:3]))


def penalty(row, strength):
    """The library's penalty as its source has it, and ours at the strength that should match."""
    net = torch.nn.Linear(3, 2, bias=False).double()
    measure = MEASURES[row.method](net, strength=row.strength_here(strength, decay=0.6))
    theirs = torch.rand(2, 3, dtype=torch.float64)
    state = measure.state_dict()
    state["importance"]["weight"].copy_(WHAT_IT_KEEPS[row.method] * theirs)
    state["anchor"]["weight"].copy_(net.weight.detach() - 0.3)
    measure.load_state_dict(state)
    moved = (net.weight - measure.anchor["weight"]).detach()
    decay = 0.6 if row.times_decay else 1.0
    return row.factor * strength * decay * (theirs * moved**2).sum(), measure.penalty().detach()


@EACH
@pytest.mark.parametrize("strength", [0.4, 30.0])
def test_the_strength_here_gives_the_penalty_there(row, strength):
    theirs, ours = penalty(row, strength)
    assert float(ours) == pytest.approx(float(theirs)) and float(ours) > 0


@pytest.mark.parametrize(("library", "method", "expected"), [
    ("Avalanche", "EWC", 2.0), ("Avalanche", "SI", 0.5), ("Avalanche", "MAS", 1.0),
    ("van de Ven, continual-learning", "EWC", 1.0),
    ("van de Ven, continual-learning", "online EWC", 0.9),
    ("van de Ven, continual-learning", "SI", 1.0), ("mammoth", "online EWC", 2.0),
    ("mammoth", "SI", 1.0)])
def test_a_strength_of_one_there(library, method, expected):
    """Worked out by hand from their sources."""
    rows = [row for row in conventions() if (row.library, row.method) == (library, method)]
    assert rows and all(row.strength_here(1.0, decay=0.9) == pytest.approx(expected)
                        for row in rows)


def test_a_decay_that_matters_is_asked_for():
    row = Convention("a library", "1.0", "online EWC", 0.5, True, True, "")
    with pytest.raises(ValueError, match=r"a library multiplies .* online EWC .* decay="):
        row.strength_here(1.0)


def test_every_row_says_what_was_read():
    file = Path(__file__).resolve().parents[1] / "si_tutorial/conventions.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(rows) == len(conventions()) > 5
    assert all(any(c.isdigit() for c in row["seen"]) and row["importance"] for row in rows)
    assert len({(row["library"], row["seen"], row["method"]) for row in rows}) == len(rows)
