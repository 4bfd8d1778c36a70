"""DistributedDataParallel: two processes measure as one, and their networks stay the same."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import two_processes
from torch import nn

from si_tutorial.importance.processes import mean_over_processes

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of the two processes found."""
    folder = tmp_path_factory.mktemp("processes")
    files = [folder / f"{rank}.pt" for rank in range(2)]
    script = [sys.executable, "-c", "import runpy, sys; sys.argv = sys.argv[1:]; "
              "runpy.run_path(sys.argv[0], run_name='__main__')", HERE / "two_processes.py"]
    both = [subprocess.Popen([*script, str(rank), folder / "meeting", file], cwd=HERE.parent)
            for rank, file in enumerate(files)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    return [torch.load(file) for file in files]


@pytest.mark.parametrize("given", [0, 1])
@pytest.mark.parametrize("name", two_processes.MEASURES)
def test_both_processes_have_the_same_bits_in_both_tasks(found, name, given):
    for one, other in zip(*(each[f"{name} {given}"] for each in found), strict=True):
        for mine, theirs in zip(one, other, strict=True):
            assert all(torch.equal(mine[n], theirs[n]) for n in mine)
    importance = one[1]
    assert importance["module.0.weight"].all()


@pytest.mark.parametrize("given", [0, 1])
@pytest.mark.parametrize("name", ["EWC", "MAS"])
def test_they_measure_what_one_process_measures_on_all_examples(found, name, given):
    """Shards of 6 and of 10: a mean of two means would be another number."""
    before = None
    for task, (weights, importance) in enumerate(found[0][f"{name} {given}"]):
        net = two_processes.build()
        net.load_state_dict({n.removeprefix("module."): t for n, t in weights.items()},
                            strict=False)
        alone = two_processes.MEASURES[name](net).consolidate([two_processes.data(task)])
        for n, omega in alone.importance.items():
            now = importance[f"module.{n}"] - (0 if before is None else before[f"module.{n}"])
            torch.testing.assert_close(now, omega)
        before = importance


def test_several_processes_without_the_wrapper_are_refused(found):
    for each in found:
        for name in ("EWC", "MAS"):
            assert "build the measure on the network that is wrapped in" in each[f"{name} alone"]
        assert "use gradient='task'" in each["probe"]


def test_one_process_measures_as_ever():
    batches = [(torch.zeros(3, 2), None)]
    net = nn.Linear(2, 1)
    seen = []
    result = mean_over_processes(net, batches, lambda *given: seen.append(given) or {"a": 1})
    assert result == {"a": 1} and seen == [(net, batches)]
