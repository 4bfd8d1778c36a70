"""A flipbook: pictures that need Python, all drawn at once, with controls that turn the pages."""

import base64
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from traitlets import Dict, List, Unicode

from si_tutorial.explorables.explorable import Explorable, bundle


@dataclass(frozen=True)
class Page:
    """One picture, its caption, and what it shows in words."""

    png: bytes
    alt: str
    caption: str


class Flipbook(Explorable):
    """Pages, one for each combination of the settings; `chosen` is the one that lies open."""

    _esm = bundle(Path(__file__).with_suffix(".js"))
    question = Unicode().tag(sync=True)
    goal = Unicode().tag(sync=True)
    reached = Dict().tag(sync=True)
    beside = Unicode().tag(sync=True)
    key = List().tag(sync=True)
    settings = Dict().tag(sync=True)
    pages = List().tag(sync=True)
    chosen = Dict().tag(sync=True)


def flipbook(draw: Callable[..., Page], *, question: str, goal: str = "",
             reached: Mapping | None = None, beside: str = "", key: Sequence[str] = (),
             **settings: Sequence) -> Flipbook:
    """All pictures `draw(**values)`, for every combination of the values that settings list.

    Numbers get a slider, words get buttons. A picture less than 100 pixels wide is shown large,
    with its pixels as squares. `goal` is a target for the reader, and `reached` holds the values at
    which it is met. The setting named by `beside` has no control: the pages of all its values lie
    side by side. `key` is two words for the ends of viridis, the colours of the pictures.

    >>> flipbook(draw, question="…", batch_size=[10, 40, 160, 640])         # doctest: +SKIP
    """
    if not settings or not all(settings.values()):
        raise ValueError("a flipbook needs something to turn its pages by: give the values of each "
                         f"setting, as in batch_size=[10, 40]; got {settings}")
    if beside and beside not in settings:
        raise ValueError(f"beside={beside!r} is none of the settings, {', '.join(settings)}")
    names = list(settings)
    shown = [draw(**dict(zip(names, values, strict=True)))
             for values in itertools.product(*settings.values())]
    return Flipbook(
        question=question, goal=goal, reached=dict(reached or {}), beside=beside, key=list(key),
        settings={name: list(values) for name, values in settings.items()},
        chosen={name: values[0] for name, values in settings.items()},
        pages=[{"png": base64.b64encode(page.png).decode(), "alt": page.alt,
                "caption": page.caption} for page in shown])
