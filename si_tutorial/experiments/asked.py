"""Which runs a command's words ask for, and about how long they will take."""

import argparse
import ast
import dataclasses
import re
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path

from si_tutorial.experiments import own, protocols
from si_tutorial.experiments.checks import SettingsError, one_of
from si_tutorial.experiments.settings import CONTROLS, METHODS, SCENARIOS, UNPENALISED, Run

# what --with cannot change, since it has an option of its own
OPTIONS = ("experiment", "scenario", "method", "strength", "damping", "seed")
CHANGEABLE = [name for name in dict.fromkeys(
    name for base, _ in protocols.EXPERIMENTS.values() for name in base.fields)
    if name not in OPTIONS]
GRID = ("scenario", "method", "strength", "damping", "seeds", "changes", "own")
MOST_SEEDS = 10_000
NUMBER = re.compile(r"[0-9]{1,12}")


def add_grid(parser: argparse.ArgumentParser) -> None:
    """The options that choose a grid of one's own."""
    grid = parser.add_argument_group("a grid of your own, in place of the published runs (any of "
                                     "these chooses it)")
    grid.add_argument("--scenario", nargs="+", metavar="NAME", choices=SCENARIOS,
                      help=", ".join(SCENARIOS))
    grid.add_argument("--method", nargs="+", metavar="NAME",
                      help=f"{', '.join(METHODS + CONTROLS)}, or a class of your own file; "
                           f"default: {', '.join(METHODS)}")
    grid.add_argument("--strength", nargs="+", type=float, metavar="C",
                      help="c of the penalty; default: five for each method")
    grid.add_argument("--damping", nargs="+", type=float, metavar="XI",
                      help="ξ of SI; default: the authors'")
    grid.add_argument("--seeds", type=_seeds, metavar="N or A:B",
                      help="the seeds 0 to N-1, or A to B-1; default: 3")
    grid.add_argument("--with", nargs="+", dest="changes", type=_change, metavar="FIELD=VALUE",
                      help="fields of a run to change: epochs=2 dropout=0.5 \"data=mnist subset\"")
    grid.add_argument("--from", dest="own", type=Path, metavar="FILE.py",
                      help="a file of your own: --method takes its classes on QuadraticPenalty, "
                           "--with data= a function that returns a Dataset")


def protocol(args: argparse.Namespace) -> Callable[[list[dict]], list[Run]]:
    """The published one, or the grid that the options name."""
    base, published = protocols.EXPERIMENTS[args.experiment]
    if all(getattr(args, option) is None for option in GRID):
        return published
    methods = args.method or METHODS
    if args.strength and set(methods) <= {*UNPENALISED}:
        raise SettingsError(f"{' and '.join(methods)} have no penalty, so that there is nothing "
                            "for --strength to set")
    if args.damping and not any(protocols.takes_damping(name) for name in methods):
        raise SettingsError(f"{', '.join(methods)}: none has a damping for --damping to set")
    file = args.own and own.file(args.own)
    for name in methods:  # said before what such a method would need
        if file is None:
            one_of("method", name, METHODS + CONTROLS, "; your own needs its file: --from FILE.py")
        elif name not in METHODS + CONTROLS:
            own.kind(file, name)
    base = dataclasses.replace(base, file=file)
    bases = [protocols.in_scenario(base, name).replace(**dict(args.changes or ()))
             for name in args.scenario or [base.data.scenario]]
    wanted = [run.replace(seed=seed) for run in protocols.grid(
        bases, methods, args.strength or (), args.damping or ())
        for seed in args.seeds or range(3)]
    if file and not any(run.code for run in wanted):
        raise SettingsError(f"nothing of {args.own} is used: name its class in --method, or "
                            "its function in --with data=")
    return lambda records: wanted


def plan(wanted: Iterable[Run], records: Iterable[dict], like: Iterable[dict], jobs: int
         ) -> list[str]:
    """In words, a line each: what is to do, and the time it takes by lines that are stored."""
    wanted, done = list(dict.fromkeys(wanted)), {Run.of(record) for record in records}
    todo = [run for run in wanted if run not in done]
    kinds: dict[Run, list[Run]] = {}
    for run in todo:
        kinds.setdefault(run.replace(seed=0), []).append(run)
    known = [record for record in (*records, *like) if record["seconds"]]
    seconds = {kind: _seconds(kind, known) for kind in kinds}
    lines = [f"{kind.words}, seeds {_range(kinds[kind])}: "
             + (f"{_time(each)} each" if each else "no stored line tells how long")
             for kind, each in seconds.items()]
    total = sum((each or 0) * len(kinds[kind]) for kind, each in seconds.items())
    unknown = sum(len(kinds[kind]) for kind, each in seconds.items() if not each)
    lines.append(f"{len(wanted)} runs, of which {len(wanted) - len(todo)} are done"
                 + (f": the other {len(todo)} take about {_time(total / jobs)} with {jobs} at a "
                    "time, by the stored lines that are most like them" if total else "")
                 + (f" ({unknown} are like none that is stored)" if unknown else "") + ".")
    return lines


def _seconds(run: Run, records: list[dict]) -> float | None:
    """The median of the lines that differ in the least."""
    for free in (("seed", "strength", "damping"),
                 ("seed", "strength", "damping", "held_out", "scenario", "head_weights", "curves"),
                 ("seed", "strength", "damping", "held_out", "scenario", "head_weights", "curves",
                  "method", "correlate", "dropout", "code")):
        same = {name: value for name, value in run.fields.items() if name not in free}
        found = [record["seconds"] for record in records
                 if all(_plain(record.get(name)) == _plain(value) for name, value in same.items())]
        if found:
            return statistics.median(found)
    return None


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _range(runs: list[Run]) -> str:
    return ", ".join(str(run.seed) for run in runs) if len(runs) < 4 else (
        f"{runs[0].seed} … {runs[-1].seed}")


def _time(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def count(text: str) -> int:
    if not NUMBER.fullmatch(text) or not 1 <= int(text) <= MOST_SEEDS:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a number of at least 1 and at most "
                                         f"{MOST_SEEDS:,}")
    return int(text)


def _seeds(text: str) -> range:
    """N or A:B."""
    first, colon, end = text.rpartition(":")
    if not colon:
        return range(count(text))
    if not (NUMBER.fullmatch(first) and NUMBER.fullmatch(end) and int(first) < int(end)
            and int(end) - int(first) <= MOST_SEEDS):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not A:B, from seed A to below seed B")
    return range(int(first), int(end))


def _change(text: str) -> tuple[str, object]:
    """One FIELD=VALUE; a value that is no Python literal is a word."""
    name, equals, value = text.partition("=")
    if not equals or name not in CHANGEABLE:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE with a FIELD of "
                                         f"{', '.join(CHANGEABLE)}")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return name, value
