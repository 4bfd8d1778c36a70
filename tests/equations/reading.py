"""Read an equation's LaTeX as arithmetic, so that it can be compared with code on numbers.

    evaluate(r"\\sum_{\\nu < \\mu} \\frac{\\omega_k^\\nu}{(\\Delta_k^\\nu)^2 + \\xi}",
             {r"\\omega_k^\\nu": lambda nu: omega[nu], r"\\Delta_k^\\nu": lambda nu: drift[nu],
              r"\\xi": 0.1},
             {r"\\sum_{\\nu < \\mu}": Over("nu", range(3))})

Atoms are the pieces that have a value: a number, an array, or a function of the indices that are
bound where they stand. The longest atom that fits is taken, so that an index belongs to its
letter. What binds an index (a sum, an integral, an expectation) is listed with what it runs over.
Two matrices beside each other are multiplied as matrices (a vector is a column), all else entry
by entry. What is neither an atom nor arithmetic is refused.
"""

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from equations.quoting import TOKEN, spaceless

SILENT = re.compile(r"\\[,;:! ]|\\(?:left|right|[bB]igg?[lr]?|quad)(?![A-Za-z])|&|\\\\|[~\s]+")
RELATIONS = {"=", "<", ">", *(rf"\{name}" for name in (
    "leftarrow", "approx", "propto", "equiv", "le", "ge", "to", "sim", "ll", "gg", "ne"))}
BRACKETS = {"(": ")", "[": "]", "|": "|", r"\lVert": r"\rVert"}
CLOSING = {*BRACKETS.values(), r"\rangle"}


class Over(NamedTuple):
    """What an index runs over; `weight` turns the sum into an expectation or an integral."""
    names: str                              # "k", or "alpha beta" for two
    values: Iterable
    weight: Callable[..., float] = lambda: 1.0


class UnreadableError(ValueError):
    pass


Scope = dict[str, Any]                      # the indices that are bound, and their values
Value = Callable[[Scope], Any]              # what a piece of the formula is worth there


def tokens(latex: str) -> tuple[str, ...]:
    """Without what means nothing: white space, and the sizes of brackets."""
    return spaceless(SILENT.sub(" ", latex))


def statements(latex: str) -> list[tuple[str, str]]:
    """The two sides of each formula in the equation; \\qquad stands between two formulas.

    A relation inside brackets, as in the index of a sum, does not divide.
    """
    latex = re.sub(r"\\(?:begin|end)\{aligned\}|\\\\|&|\\quad(?![A-Za-z])", " ", latex)
    found = []
    for part in latex.split(r"\qquad"):
        sides, depth = [""], 0
        for token in TOKEN.findall(part.strip().rstrip(" ,.")):
            depth += (token in "{[(") - (token in "}])")
            if depth == 0 and token in RELATIONS:
                sides.append("")
            else:
                sides[-1] += token
        found += itertools.pairwise(side.strip() for side in sides)
    return found


def evaluate(latex: str, atoms: Mapping[str, Any], binders: Mapping[str, Over] | None = None
             ) -> Any:
    """The value of the formula; UnreadableError where it holds something without a meaning."""
    return Reader(tokens(latex), {tokens(name): value for name, value in atoms.items()},
                  {tokens(name): over for name, over in (binders or {}).items()}).all()({})


class Reader:
    """Recursive descent: a method per level of precedence, from the loosest to the tightest."""

    def __init__(self, tokens: tuple[str, ...], atoms: dict, binders: dict):
        self.tokens, self.place = tokens, 0
        self.atoms = dict(sorted(atoms.items(), key=lambda item: -len(item[0])))
        self.binders = dict(sorted(binders.items(), key=lambda item: -len(item[0])))

    def all(self) -> Value:
        value = self.sum()
        if self.place < len(self.tokens):
            raise UnreadableError(f"stuck before {' '.join(self.tokens[self.place:])!r}")
        return value

    def sum(self) -> Value:
        parts = [(self.take("-"), self.product())]
        while (minus := self.take("-")) or self.take("+"):
            parts.append((minus, self.product()))

        def total(scope):
            values = [-part(scope) if minus else part(scope) for minus, part in parts]
            return sum(values[1:], start=values[0])
        return total

    def product(self) -> Value:
        result = self.power()
        while self.next() not in (None, "+", "-", *CLOSING):
            divide = self.take("/")
            self.take(r"\cdot")
            result = combined(result, self.power(), divide)
        return result

    def power(self) -> Value:
        base = self.piece()
        while self.take("^"):
            base = raised(base, self.argument())
        return base

    def piece(self) -> Value:
        for name, over in self.binders.items():
            if self.take(*name):
                inside = self.bracket(r"\rangle") if name[-1] == r"\langle" else self.product()
                return bound(over, inside)
        for name, value in self.atoms.items():
            if self.take(*name):
                return lambda scope: called(value, scope) if callable(value) else value
        digits = "".join(itertools.takewhile(str.isdigit, self.tokens[self.place:]))
        self.place += len(digits) or 1
        if digits:
            return lambda scope: float(digits)
        token = self.tokens[self.place - 1] if self.place <= len(self.tokens) else "the end"
        if token in (r"\frac", r"\tfrac"):
            return combined(self.inside(), self.inside(), divide=True)
        if token == r"\sqrt":
            root = self.inside()
            return lambda scope: root(scope) ** 0.5
        if token in BRACKETS:
            body = self.bracket(BRACKETS[token])
            return (lambda scope: abs(body(scope))) if token == "|" else body
        raise UnreadableError(f"{token} has no meaning in {' '.join(self.tokens)}")

    def bracket(self, closing: str) -> Value:
        body = self.sum()
        if not self.take(closing):
            raise UnreadableError(f"{closing} expected in {' '.join(self.tokens)}")
        if closing == r"\rangle" and self.take("_"):
            self.argument()
        return body

    def inside(self) -> Value:
        return Reader(self.argument(), self.atoms, self.binders).all()

    def argument(self) -> tuple[str, ...]:
        """The tokens of {…}, or the single token that TeX takes where there is no brace."""
        start = self.place
        depth = 0
        while self.place < len(self.tokens):
            depth += {"{": 1, "}": -1}.get(self.tokens[self.place], 0)
            self.place += 1
            if depth == 0:
                found = self.tokens[start:self.place]
                return found[1:-1] if found[0] == "{" else found
        raise UnreadableError(f"a brace is not closed in {' '.join(self.tokens)}")

    def next(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self, *wanted: str) -> bool:
        """Step over these tokens if they stand here; whether they do."""
        found = self.tokens[self.place:self.place + len(wanted)] == wanted
        self.place += len(wanted) * found
        return found


def called(function: Callable, scope: Scope) -> Any:
    return function(**{name: scope[name] for name in inspect.signature(function).parameters})


def bound(over: Over, body: Value) -> Value:
    names = over.names.split()

    def total(scope):
        values = (value if len(names) > 1 else (value,) for value in over.values)
        inner = [scope | dict(zip(names, value, strict=True)) for value in values]
        return sum(called(over.weight, s) * body(s) for s in inner)
    return total


def combined(left: Value, right: Value, divide: bool) -> Value:
    def value(scope):
        a, b = left(scope), right(scope)
        if divide:
            return a / b
        return a @ b if np.ndim(a) == np.ndim(b) == 2 else a * b
    return value


def raised(base: Value, exponent: tuple[str, ...]) -> Value:
    if exponent == (r"\top",):
        return lambda scope: base(scope).T
    power = "".join(exponent)
    if power == "-1":
        return lambda scope: np.linalg.inv(base(scope)) if np.ndim(base(scope)) == 2 else (
            1 / base(scope))
    if not power.isdigit():
        raise UnreadableError(f"an index or exponent without a meaning: {' '.join(exponent)}")

    def value(scope):
        b = base(scope)
        square = np.ndim(b) == 2 and b.shape[0] == b.shape[1]
        return np.linalg.matrix_power(b, int(power)) if square else b ** int(power)
    return value


MISTAKES = (
    (r"\+", "-"), (r"(?<![{_^])-", "+"),                        # a sign
    (r"\\t?frac\s*1\s*2", ""), (r"(?<![_^\d=])2(?!\d)", "1"),   # a half
    (r"(?<![_^\d={])1(?!\d)", "2"),                             # another number
    (r"\^(?:2|\{\\!2\})", ""), (r"\\sqrt\{", "{"),              # a square, a root
)


def mutations(latex: str) -> Iterator[str]:
    """The formula with one mistake in it, each of those above at each of its places."""
    for pattern, wrong in MISTAKES:
        for match in re.finditer(pattern, latex):
            yield latex[:match.start()] + wrong + latex[match.end():]
