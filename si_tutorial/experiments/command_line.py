"""python -m si_tutorial list | run | report | export | plot | check."""

import argparse
import importlib
import random
import sys
from collections.abc import Callable
from pathlib import Path

from si_tutorial.errors import UserError
from si_tutorial.experiments import asked, beforehand, protocols, store
from si_tutorial.experiments.crew import how_many
from si_tutorial.experiments.runs import execute
from si_tutorial.experiments.settings import Run

NAMES = ", ".join(protocols.EXPERIMENTS)


def add_commands(commands: "argparse._SubParsersAction") -> None:
    """Add the experiments' commands to the command line's parser."""
    def command(name, action, text, more="", *, experiment=True):
        parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + "."
                                     + more)
        parser.set_defaults(action=action)
        if experiment:
            parser.add_argument("experiment", choices=list(protocols.EXPERIMENTS),
                                metavar="experiment", help=f"one of {NAMES}")
        return parser

    def store_of(parser):
        parser.add_argument("--results", type=Path, metavar="FOLDER",
                            help="folder of the store; default: as published")
        return parser

    command("list", show_list, "what experiments there are, and how much of each is published",
            experiment=False)
    run = command("run", run_experiment, "do an experiment's runs that are not done yet",
                  " It may be interrupted at any moment: the same command, given again, repeats "
                  "nothing that is finished and goes on after the last finished epoch of the rest.")
    asked.add_grid(run)
    run.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER",
                     help="folder of the store; default: ./results")
    run.add_argument("--jobs", type=int, default=1, metavar="N",
                     help="runs at a time, one thread each; -1: one on each core; default: 1")
    run.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler that does the runs")
    run.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps, …; default: cpu")
    run.add_argument("--keep-going", action="store_true",
                     help="where a run cannot be done, do the others")
    run.add_argument("--dry-run", action="store_true",
                     help="tell what would be done, and about how long it would take")
    store_of(command("report", show_report, "the tables of an experiment, from its store alone"))
    export = store_of(command("export", export_runs, "the lines of a store as CSV, a row each"))
    export.add_argument("--accuracies", action="store_true",
                        help="a row for each run, trained task and tested task")
    export.add_argument("--to", type=Path, metavar="FILE.csv", help="default: printed")
    plot = store_of(command("plot", plot_runs, "the book's figures of a store, as files"))
    plot.add_argument("--to", type=Path, default=Path("figures"), metavar="FOLDER",
                      help="default: ./figures")
    plot.add_argument("--format", default="svg", choices=("svg", "png", "pdf"), metavar="FORMAT",
                      help="svg, png or pdf; default: svg")
    check = command("check", check_line, "recompute one published line and compare")
    check.set_defaults(results=None)
    check.add_argument("--line", type=int, metavar="N",
                       help="its number, from 1; default: any, at random")


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

    protocol, file = asked.protocol(args), args.results / f"{args.experiment}.jsonl"
    if args.dry_run:
        return tell_plan(args, protocol, store.read(file))
    try:
        records = run_all(protocol, args.results, args.experiment, jobs=args.jobs, dask=args.dask,
                          device=args.device, keep_going=args.keep_going)
    except KeyboardInterrupt:
        print(f"\nInterrupted. {len(store.read(file))} finished runs are in {file}, and those in "
              "progress are kept up to their last finished epoch: the same command, given again, "
              "goes on there.", file=sys.stderr)
        return 130
    print(_text(report.results(records)))
    return 0


def tell_plan(args: argparse.Namespace, protocol: Callable, records: list[dict]) -> int:
    """What `run` would refuse is refused, nothing is fetched, and nothing is written."""
    wanted, jobs = protocol(records), how_many(args.jobs)
    if args.dask is None:
        beforehand.check_device(args.device)
        done = {Run.of(record) for record in records}
        here, fetched = beforehand.without_download(run for run in wanted if run not in done)
        beforehand.check(here)
        if fetched:
            print(f"{' and '.join(fetched)} would be downloaded first.")
    print(*asked.plan(wanted, records, store.published(args.experiment), jobs), sep="\n")
    return 0


def _records(args: argparse.Namespace) -> list[dict]:
    """Those of the store that is named, or the published ones; there must be one at least."""
    if args.results is not None and not args.results.is_dir():
        raise UserError(f"{args.results} is no folder: --results takes that of a store, as `run` "
                        "has made it")
    records = (store.published(args.experiment) if args.results is None else
               store.read(args.results / f"{args.experiment}.jsonl"))
    if not records:
        raise UserError(f"no finished run of {args.experiment} is in "
                        f"{args.results or 'the package'}: `run {args.experiment}` makes them")
    return records


def show_report(args: argparse.Namespace) -> int:
    from si_tutorial.experiments import report

    records = _records(args)
    for title, table in (("Results", report.results(records)),
                         ("Tuning, on held-out training images",
                          report.results(records, held_out=True)),
                         ("Strength chosen", report.chosen(args.experiment, records).reset_index()),
                         ("How to reproduce", report.reproduction(args.experiment, records))):
        print(f"\n{title}\n{_text(table)}")
    return 0


def export_runs(args: argparse.Namespace) -> int:
    records = _records(args)
    table = store.accuracies(records) if args.accuracies else store.runs(records)
    words = [name for name, dtype in table.dtypes.items() if dtype.kind == "O"]
    table[words] = table[words].map(_no_formula)
    try:
        table.to_csv(sys.stdout if args.to is None else args.to, index=False)
    except OSError as why:
        raise UserError(f"{args.to} cannot be written ({why.strerror}): name another file with "
                        "--to") from why
    return 0


def _no_formula(value):
    """A spreadsheet computes what begins so: words of a store stay words."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def plot_runs(args: argparse.Namespace) -> int:
    try:
        plots = importlib.import_module("si_tutorial.experiments.plots")
    except ImportError as why:
        raise UserError(f"plot needs {why.name}: pip install \"si-tutorial[notebooks]\"") from why
    try:
        files = plots.draw(args.experiment, _records(args), args.to, args.format)
    except OSError as why:
        raise UserError(f"{args.to} cannot be written to ({why.strerror}): name another folder "
                        "with --to") from why
    print(*files, sep="\n")
    return 0


def check_line(args: argparse.Namespace) -> int:
    from si_tutorial.experiments import report

    records = _records(args)
    number = random.randint(1, len(records)) if args.line is None else args.line
    if not 1 <= number <= len(records):
        raise UserError(f"line {number} of {args.experiment} is not published: it has lines 1 to "
                        f"{len(records)}")
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
            print(f"elsewhere the mean accuracy is expected from {max(low, 0):.4f} "
                  f"to {min(high, 1):.4f}")
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
