"""The benchmarks' ratios, what they time, and the lines they leave: laws, with a clock made up."""

import json
from pathlib import Path

import chunks
import pytest
import work
from scripts import script
from torch.utils.flop_counter import FlopCounterMode

from si_tutorial.experiments import store

ROOT = Path(__file__).resolve().parents[1]
WIDTHS = (784, 20, 30, 10)


class Machine:
    """A clock that pieces of work move on, faster or slower as the machine is slowed by others."""

    def __init__(self, slowed=lambda now, call: 1.0):
        self.now, self.calls, self._slowed = 0.0, 0, slowed

    def work(self, seconds):
        def one():
            self.calls += 1
            self.now += seconds * self._slowed(self.now, self.calls)
        return one

    def ratio(self, one=0.003, other=0.002, **settings):
        return chunks.ratio(self.work(one), self.work(other), clock=lambda: self.now, **settings)


def test_a_quiet_machine_gives_the_ratio_itself_in_chunks_of_equal_length():
    found = Machine().ratio(turns=5, chunk=0.6)
    assert [found.ratio, found.low, found.high] == pytest.approx([1.5, 1.5, 1.5])
    assert found.turns == 5 and found.calls == 200 and found.seconds == pytest.approx(0.003)
    assert Machine().ratio(chunk=0.001).calls == 1  # a step that is longer than a chunk


@pytest.mark.parametrize("slowed", [
    lambda now, call: 1 + 2 * (now > 4),            # from some moment on
    lambda now, call: 1 + now / 20,                 # more and more
    lambda now, call: 1 + 9 * (call % 1501 < 100),  # by bursts
    lambda now, call: 3.0], ids=["once", "steadily", "bursts", "always"])
def test_a_machine_that_others_slow_gives_nearly_the_same(slowed):
    found = Machine(slowed).ratio(turns=20)
    assert found.ratio == pytest.approx(1.5, rel=0.01)
    assert found.low <= found.ratio <= found.high


def test_a_steady_drift_cancels_only_because_both_neighbours_count():
    """Chunks of equal length in a drift linear in time: the mean beside is that of the middle."""
    machine = Machine(lambda now, call: 1 + now / 5)
    assert machine.ratio(0.001, 0.001, turns=9, chunk=0.1).ratio == pytest.approx(1, abs=2e-3)


def test_median_and_quartiles_are_those_of_the_turns():
    lengths = [1.0] * 4 + [1, 4, 1, 2, 1, 3, 1, 5, 1, 1, 1]  # warming up, then other, one, other …
    machine = Machine(lambda now, call: lengths[call - 1])
    found = machine.ratio(1.0, 1.0, turns=5, chunk=1e-6)
    assert (found.low, found.ratio, found.high) == (2, 3, 4) and machine.calls == len(lengths)


def test_the_bare_products_are_those_of_a_step_and_nothing_else():
    """Counted by PyTorch: as many operations in products as in training, which has biases beside.

    The step's head has no more than the products': it is called with the same widths.
    """
    counted = []
    for one in (work.products(WIDTHS, 8), work.step(work.perceptron(WIDTHS[1:-1]), 8)):
        with FlopCounterMode(display=False) as flops:
            one()
        counted.append(flops.get_total_flops())
    assert counted[0] == counted[1] > 0


@pytest.mark.parametrize("parameters", [1e4, 1e5, 1e6])
def test_a_width_gives_about_so_many_parameters(parameters):
    network = work.perceptron(2 * [work.width(parameters)])
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(parameters, rel=0.05)


@pytest.mark.parametrize("measure", ["L2", "EWC", "online EWC", "MAS", "SI"])
def test_a_step_with_a_measure_has_tasks_to_protect_and_moves_the_network(measure):
    network = work.perceptron((6,))
    one = work.step(network, 4, measure, tasks=2)
    assert one.penalty.tasks == 2 and one.penalty.strength > 0
    assert any(bool(omega.any()) for omega in one.penalty.importance.values())
    before = [p.detach().clone() for p in network.parameters()]
    one()
    assert one.penalty.steps == 1
    assert any((p != q).any() for p, q in zip(network.parameters(), before, strict=True))


def test_a_line_tells_what_was_measured_and_where(tmp_path, capsys):
    file = tmp_path / "lines.jsonl"
    found = Machine().ratio(turns=5)
    chunks.Lines(file).ratio("step", "SI", "plain", found, network="784-256-256", batch_size=64)
    chunks.Lines(file).memory("SI", 200_000_000, parameters=1e7)
    step, memory = (json.loads(line) for line in file.read_text().splitlines())
    assert step.items() >= {"benchmark": "step", "what": "SI", "to": "plain", "ratio": 1.5,
                            "turns": 5, "network": "784-256-256", "batch_size": 64}.items()
    assert memory["bytes"] == 200_000_000
    for line in (step, memory):
        assert line.keys() >= {*store.ORIGIN} - {"data_source", "data_digest"}
    assert "SI / plain" in (said := capsys.readouterr().out) and "1.50 (1.50 to 1.50)" in said
    chunks.Lines(None).ratio("step", "SI", "plain", found)
    assert file.read_text().count("\n") == 2


def test_two_runs_are_compared_by_what_they_have_both_measured(tmp_path, capsys):
    def lines(name, machine, **ratios):
        text = [json.dumps({"benchmark": "step", "what": what, "to": "plain", "ratio": value,
                            "seconds": value, "machine": machine}) for what, value
                in ratios.items()]
        (tmp_path / name).write_text("\n".join([*text, '{"benchmark": "memory", "bytes": 3}']))
        return str(tmp_path / name)
    chunks.main([lines("a", "here", SI=1.1, EWC=1.0, L2=1.0),
                 lines("b", "there", SI=1.0, EWC=1.25)])
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in said] == ["-20.0", "+10.0"]
    assert said[0][1:] == ["%", "benchmark", "step,", "what", "EWC,", "to", "plain"]


def test_times_of_notebooks_are_those_of_the_build_the_longest_first(tmp_path, monkeypatch):
    times = script("tools/times.py")
    monkeypatch.setattr(times, "TIMES", tmp_path / "notebooks.jsonl")
    (tmp_path / "times.xml").write_text(
        '<testsuites><testsuite><testcase classname="book.noise.ipynb" name="noise.ipynb" '
        'time="2.5" /><testcase classname="book.index.ipynb" name="index.ipynb" time="30" />'
        "</testsuite></testsuites>")
    times.main(str(tmp_path / "times.xml"), "2")
    lines = [json.loads(line) for line in (tmp_path / "notebooks.jsonl").read_text().splitlines()]
    assert {line["notebook"]: line["seconds"] for line in lines} == {"index": 30, "noise": 2.5}
    assert lines[0]["notebook"] == "index"
    assert all(line["jobs"] == 2 and line["machine"] for line in lines)


def test_the_build_leaves_the_file_that_the_times_are_read_from():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "cd build/executed" in text and "--junitxml=../times.xml" in text
    assert "tools/times.py build/times.xml" in text


def test_what_the_page_shows_has_been_measured_in_one_place():
    lines = [json.loads(line) for line in
             (ROOT / "si_tutorial/results/benchmarks.jsonl").read_text("utf-8").splitlines()]
    assert len({(line["machine"], line["kind"], str(line["versions"])) for line in lines}) == 1
    assert all(line["low"] <= line["ratio"] <= line["high"] for line in lines if "ratio" in line)
    assert {line["threads"] for line in lines} == {1}
    names = {tuple(line.get(key) for key in ("benchmark", "what", "to", "network", "parameters",
                                             "batch_size", "tasks", "images")) for line in lines}
    assert len(names) == len(lines), "something was measured twice"
