"""python -m si_tutorial list | run | report | check."""

import argparse
import ast
import random
import sys
from pathlib import Path

from si_tutorial.experiments import protocols, store
from si_tutorial.experiments.runs import execute
from si_tutorial.experiments.settings import CONTROLS, METHODS, SCENARIOS, Run

# what --with cannot change, since it has an option of its own
OPTIONS = ("experiment", "scenario", "method", "strength", "damping", "seed")
CHANGEABLE = [name for name in dict.fromkeys(
    name for base, _ in protocols.EXPERIMENTS.values() for name in base.fields)
    if name not in OPTIONS]


def add_commands(commands: "argparse._SubParsersAction") -> None:
    """Add the experiments' commands to the command line's parser."""
    def command(name, action, text, **where):
        parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        parser.set_defaults(action=action)
        if where:
            parser.add_argument("experiment", choices=list(protocols.EXPERIMENTS), **where)
        return parser

    command("list", show_list, "what experiments there are, and how much of each is published")
    run = command("run", run_experiment, "do an experiment's runs that are not done yet",
                  metavar="experiment")
    grid = run.add_argument_group("a grid of your own, in place of the published runs (any of "
                                  "these chooses it)")
    grid.add_argument("--scenario", nargs="+", choices=SCENARIOS)
    grid.add_argument("--method", nargs="+", choices=METHODS + CONTROLS)
    grid.add_argument("--strength", nargs="+", type=float, help="c; default: five per method")
    grid.add_argument("--damping", nargs="+", type=float, help="ξ of SI; default: the authors'")
    grid.add_argument("--seeds", type=_count, metavar="N", help="the seeds 0 to N-1; default: 3")
    grid.add_argument("--with", nargs="+", dest="changes", type=_change, metavar="FIELD=VALUE",
                      help="fields of a run to change: epochs=2 dropout=0.5 \"data=mnist subset\"")
    run.add_argument("--results", type=Path, default=Path("results"),
                     help="folder of the store; default: ./results")
    run.add_argument("--jobs", type=int, default=1, help="runs at a time, one thread each")
    run.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler that does the runs")
    run.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps, …")
    tell = command("report", show_report, "the tables of an experiment, from its store alone",
                   metavar="experiment")
    tell.add_argument("--results", type=Path, help="folder of the store; default: as published")
    check = command("check", check_line, "recompute one published line and compare",
                    metavar="experiment")
    check.add_argument("--line", type=int, help="its number, from 1; default: any, at random")


def show_list(args: argparse.Namespace) -> int:
    for name, (base, protocol) in protocols.EXPERIMENTS.items():
        records = store.published(name)
        wanted = set(protocol(records))
        done = wanted & {Run.of(record) for record in records}
        print(f"{name}: {base.data.tasks} tasks, {base.network}, {base.training.epochs} epochs of "
              f"batches of {base.training.batch_size}; {len(done)} of {len(wanted)} runs "
              f"published.\n  {protocol.__doc__.splitlines()[0]}")
    return 0


def run_experiment(args: argparse.Namespace) -> int:
    from si_tutorial.experiments import report
    from si_tutorial.experiments.runner import run_all

    try:
        protocol = _protocol(args)
    except (TypeError, ValueError) as why:
        print(f"there are no such runs: {why}", file=sys.stderr)
        return 2
    records = run_all(protocol, args.results, args.experiment, jobs=args.jobs, dask=args.dask,
                      device=args.device)
    print(_text(report.results(records)))
    return 0


def _protocol(args: argparse.Namespace):
    """The published one, or the grid that the options name."""
    base, published = protocols.EXPERIMENTS[args.experiment]
    if all(option is None for option in (args.scenario, args.method, args.strength, args.damping,
                                         args.seeds, args.changes)):
        return published
    bases = [protocols.in_scenario(base, name).replace(**dict(args.changes or ()))
             for name in args.scenario or [base.data.scenario]]
    wanted = protocols.grid(bases, args.method or METHODS, args.strength or (), args.damping or (),
                            3 if args.seeds is None else args.seeds)
    return lambda records: wanted


def show_report(args: argparse.Namespace) -> int:
    from si_tutorial.experiments import report

    records = (store.published(args.experiment) if args.results is None else
               store.read(args.results / f"{args.experiment}.jsonl"))
    if not records:
        print(f"no finished run of {args.experiment} in {args.results or 'the package'}")
        return 1
    for title, table in (("Results", report.results(records)),
                         ("Tuning, on held-out training images",
                          report.results(records, held_out=True)),
                         ("Strength chosen", report.chosen(args.experiment, records).reset_index()),
                         ("How to reproduce", report.reproduction(args.experiment, records))):
        print(f"\n{title}\n{_text(table)}")
    return 0


def check_line(args: argparse.Namespace) -> int:
    from si_tutorial.experiments import report

    records = store.published(args.experiment)
    if not records:
        print(f"no run of {args.experiment} is published yet: `run {args.experiment}` makes them")
        return 1
    number = random.randint(1, len(records)) if args.line is None else args.line
    if not 1 <= number <= len(records):
        print(f"line {number} of {args.experiment} is not published: it has "
              f"{len(records)} lines")
        return 1
    record = records[number - 1]
    print(f"line {number}: {Run.of(record)}")
    again = execute(Run.of(record), progress=True)
    same = report.same_setup(record, again)
    for when, one in (("stored", record), ("again ", again)):
        print(f"{when} {one['failed'] or one['accuracy'][-1]}")
    try:
        agrees = report.agrees(record, again, records)
        if not same and record["accuracy"]:
            low, high = report.elsewhere(record, records)
            print(f"elsewhere the mean accuracy is expected from {low:.4f} to {min(high, 1):.4f}")
    except ValueError as why:
        print(why)
        return 1
    digits = "every digit is the same" if record["accuracy"] == again["accuracy"] else ""
    print(f"{'the same' if same else 'another'} set-up: {'agrees' if agrees else 'DIFFERS'}"
          f"{digits and f', and {digits}'}")
    return 0 if agrees else 1


def _text(table) -> str:
    if table.empty:
        return "(none)"
    return table.to_string(index=False, float_format="{:.4g}".format)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _change(text: str) -> tuple[str, object]:
    """One FIELD=VALUE; a value that is no Python literal is a word."""
    name, equals, value = text.partition("=")
    if not equals or name not in CHANGEABLE:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE with a FIELD of "
                                         f"{', '.join(CHANGEABLE)}")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value
