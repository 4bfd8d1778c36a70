"""Ratios of speed that other work on the machine hardly changes, and the lines that keep them.

Two pieces of work are done in turn, a chunk of calls each, many times, in one process. Each chunk
is compared with the mean of the two beside it, so that a machine that becomes slower slows both,
and what is told is the median of these ratios with its quartiles. The clock is the processor's own
time for this process: time in which others had the processor does not count.

    python benchmarks/chunks.py ONE.jsonl OTHER.jsonl

compares the lines of two runs of a benchmark.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from si_tutorial.experiments import store
from si_tutorial.experiments.provenance import provenance

TURNS, CHUNK = 15, 0.2  # by default: chunks of each kind, and the seconds that each should take
FOUND = ("ratio", "low", "high", "turns", "calls", "seconds")


@dataclass(frozen=True)
class Ratio:
    """How long a call takes, divided by how long a call of another piece of work takes."""

    ratio: float    # the median over the turns
    low: float      # its quartiles
    high: float
    turns: int
    calls: int      # in each chunk
    seconds: float  # of one call, in the median


def ratio(one: Callable[[], object], other: Callable[[], object], *, turns: int = TURNS,
          chunk: float = CHUNK, clock: Callable[[], float] = time.process_time) -> Ratio:
    """A call of `one` to a call of `other`."""
    def seconds(work, calls):
        start = clock()
        for _ in range(calls):
            work()
        return (clock() - start) / calls

    calls = {}
    for work in (one, other):
        work()  # the first call may allocate, load or compile
        calls[work] = max(1, round(chunk / max(seconds(work, 1), 1e-9)))
    beside, taken = [seconds(other, calls[other])], []
    for _ in range(turns):
        taken.append(seconds(one, calls[one]))
        beside.append(seconds(other, calls[other]))
    ratios = np.array(taken) / np.convolve(beside, (0.5, 0.5), "valid")
    low, median, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    return Ratio(float(median), float(low), float(high), turns, calls[one],
                 float(np.median(taken)))


class Lines:
    """Tells what was measured: prints it, and appends it to a file where one is named."""

    def __init__(self, file: Path | None):
        self._file = file

    def ratio(self, benchmark: str, what: str, to: str, found: Ratio, **setting: Any) -> None:
        self._tell({"benchmark": benchmark, "what": what, "to": to} | setting
                   | {name: _digits(value) for name, value in asdict(found).items()},
                   f"{what} / {to}", f"{found.ratio:.2f} ({found.low:.2f} to {found.high:.2f})")

    def memory(self, what: str, held: int, **setting: Any) -> None:
        self._tell({"benchmark": "memory", "what": what} | setting | {"bytes": held},
                   what, f"{held / 1e6:.1f} MB")

    def _tell(self, line: dict, name: str, found: str) -> None:
        setting = ", ".join(f"{key} {value}" for key, value in line.items()
                            if key not in ("benchmark", "what", "to", "bytes", *FOUND))
        print(f"{line['benchmark'] + ': ' + name:46} {found:24} {setting}", flush=True)
        if self._file is not None:
            store.append(self._file, line | provenance("cpu"))


def begin(text: str) -> tuple[Lines, argparse.Namespace]:
    """Where to tell, and the options that every benchmark has; one thread from here on."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--to", type=Path, metavar="FILE.jsonl", help="append lines to this file")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"default: {TURNS}")
    parser.add_argument("--chunk", type=float, default=CHUNK, metavar="SECONDS",
                        help=f"of each piece of work in a turn; default: {CHUNK}")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    args = parser.parse_args()
    return Lines(args.to), args


def differences(one: list[Mapping], other: list[Mapping]) -> dict[str, float]:
    """What both runs have measured → its ratio in one divided by that in the other."""
    def by_name(lines):
        known = {*FOUND, "bytes", *store.ORIGIN}
        return {", ".join(f"{key} {value}" for key, value in line.items() if key not in known):
                line["ratio"] for line in lines if "ratio" in line}
    first, second = by_name(one), by_name(other)
    return {name: first[name] / second[name] for name in first if name in second}


def _digits(value: float) -> float:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main(files: list[str]) -> None:
    one, other = ([json.loads(line) for line in Path(file).read_text().splitlines()]
                  for file in files)
    found = sorted(differences(one, other).items(), key=lambda pair: -abs(np.log(pair[1])))
    for name, quotient in found:
        print(f"{100 * (quotient - 1):+6.1f} %  {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
