"""Pictures that belong to the page: inline SVG in the page's own colours, light or dark.

Black and grey become the colour of the text, white the colour of the page; every other colour
stays. Text stays text, in the page's font, and is at least 11 pixels high on a phone.
"""

import html
import io
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SCALE = 1.6       # CSS pixels for a typographic point, where the page has room
PHONE = 340       # CSS pixels of a phone's width that are left for a picture
SMALLEST = 11     # CSS pixels: no text is smaller than this, on a phone either
HEAVIEST = 120_000  # bytes of SVG that one picture may cost the page

PAGE = "var(--pst-color-background, var(--jp-layout-color0, Canvas))"
NAMESPACE = re.compile(r"\{[^}]*\}")
SCRIPTS = {"super": str.maketrans("0123456789−+n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ"),
           "sub": str.maketrans("0123456789ijkn", "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₙ")}


class Shown:
    """Pictures with their caption and alternative text, as HTML that needs no other file."""

    def __init__(self, *pictures: str, alt: str, caption: str):
        if len(alt.split()) < 6:
            raise ValueError("describe in a sentence what the figure shows, for readers who cannot "
                             f"see it: alt={alt!r}")
        self.pictures, self.alt, self.caption = pictures, alt, caption

    def _repr_html_(self) -> str:
        return (f'<figure class="si-figure"><div class="si-panels" role="img" '
                f'aria-label="{html.escape(self.alt)}" style="display:flex; flex-wrap:wrap; '
                f'gap:1rem 0.5rem">{"".join(self.pictures)}</div>'
                f"<figcaption>{html.escape(self.caption)}</figcaption></figure>")

    def __repr__(self):
        return f"Figure: {self.caption} [{self.alt}]"


def show(axes: Axes | Sequence[Axes], caption: str, *, alt: str | None = None) -> Shown:
    """The whole figure that `axes` belongs to, with a caption that can be understood alone.

    Several axes, each in a figure of its own (see `figures.panels`), stand beside each other, as
    many in a row as the page is wide. The alternative text is the one that the figures' functions
    have written (their labels), or `alt`. Raises ValueError if there is none, if text would be too
    small on a phone, or if the drawing is too heavy for a page.
    """
    several = [axes] if isinstance(axes, Axes) else axes
    drawn = list(dict.fromkeys(ax.figure for ax in several))  # two axes of one figure: once
    words = alt or " ".join(figure.get_label() for figure in drawn).strip()
    try:
        return Shown(*(_svg(figure, caption) for figure in drawn), alt=words, caption=caption)
    finally:
        for figure in drawn:
            plt.close(figure)


def save(ax: Axes, file: Path) -> None:
    """Write the figure that `ax` belongs to, on white, with its alternative text as metadata."""
    key = {".pdf": "Subject"}.get(file.suffix, "Description")
    try:
        ax.figure.savefig(file, bbox_inches="tight", dpi=200, facecolor="white",
                          metadata={key: str(ax.figure.get_label())})
    finally:
        plt.close(ax.figure)


def _svg(figure: Figure, salt: str) -> str:
    """The figure as an `<svg>` element; `salt` keeps its names apart from those of others."""
    buffer = io.StringIO()
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", pad_inches=0.03,
                       transparent=True, dpi=150, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for element in root.iter():
        element.tag = NAMESPACE.sub("", element.tag)
    for child in list(root)[:2]:  # who drew it, and a style sheet of one line
        root.remove(child)
    width, height = (float(n) for n in root.attrib["viewBox"].split()[2:])
    text = min((_tidy_text(element) for element in root.iter("text")), default=width)
    if text * min(SCALE, PHONE / width) < SMALLEST:
        raise ValueError(
            f"text of {text:g} points in a figure {width / 72:.1f} inches wide is "
            f"{text * PHONE / width:.0f} pixels high on a phone, and {SMALLEST} are needed: make "
            f"the figure at most {text * PHONE / SMALLEST / 72:.1f} inches wide, or use "
            "figures.panels, which stand below each other there")
    for element in root.iter():
        _tidy(element)
    root.attrib = {"viewBox": f"0 0 {width:.0f} {height:.0f}", "fill": "currentColor",
                   "aria-hidden": "true", "stroke-linejoin": "round",
                   "style": f"width:{width * SCALE:.0f}px; max-width:100%; height:auto"}
    markup = re.sub(r"\s*\n\s*", " ", ElementTree.tostring(root, encoding="unicode"))
    markup = re.sub(r"> <", "><", markup)
    if len(markup) > HEAVIEST:
        raise ValueError(f"this picture costs the page {len(markup) // 1000} kB, and at most "
                         f"{HEAVIEST // 1000} are let through: draw many marks or lines with "
                         "rasterized=True, or fewer of them")
    return markup


def _tidy(element: ElementTree.Element) -> None:
    """Page colours, short numbers, and no names but those that something refers to."""
    style = _style(element)
    for kind in ("fill", "stroke"):
        color = style.get(kind, "")
        if re.fullmatch(r"#([0-9a-f]{2})\1\1", color):
            level = int(color[1:3], 16) / 255
            style[kind] = PAGE if level == 1 else "currentColor"
            if 0.3 < level < 1:
                opacity = f"{kind}-opacity"
                style[opacity] = f"{float(style.get(opacity, 1)) * (1 - level):.2f}"
    _set_style(element, style)
    if element.tag == "g":
        element.attrib.pop("id", None)
    for key in [key for key in element.attrib if "href" in key]:
        value = element.attrib.pop(key)
        element.set("href", re.sub(r"\s", "", value))
    for key in {"d", "x", "y", "transform", "width", "height", "points"} & element.attrib.keys():
        short = re.sub(r"-?\d+\.\d+", lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."),
                       element.attrib[key])
        element.set(key, re.sub(r"\s+", " ", short).strip())
    if element.tag == "image":
        element.set("style", "image-rendering:pixelated")


def _style(element: ElementTree.Element) -> dict[str, str]:
    pairs = (pair.split(":", 1) for pair in element.attrib.get("style", "").split(";") if pair)
    return {key.strip(): value.strip() for key, value in pairs}


def _set_style(element: ElementTree.Element, style: dict[str, str]) -> None:
    if style:
        element.set("style", ";".join(f"{key}:{value}" for key, value in style.items()))


def _tidy_text(text: ElementTree.Element) -> float:
    """The page's font, and formulas in runs of text; returns the size of the largest letter."""
    largest = max(_size(_style(element)) for element in text.iter())
    spans = sorted(text, key=lambda span: float(span.attrib["x"]))
    line = max((float(span.attrib["y"]) for span in spans if _size(_style(span)) == largest),
               default=0.0)
    last: tuple[ElementTree.Element, str] | None = None  # the run before, and its style
    for span in spans:
        style, letters = span.attrib["style"], (span.text or "").replace("\xa0", " ")
        if _size(_style(span)) < largest and last:
            kind = "super" if float(span.attrib["y"]) < line else "sub"
            if (script := letters.translate(SCRIPTS[kind])) != letters:
                style, letters = last[1], script
        text.remove(span)
        if last and style == last[1]:
            last[0].text = (last[0].text or "") + letters
        else:
            span.text = letters
            text.append(span)
            last = (span, style)
    for element in text.iter():
        _set_style(element, {key: value for key, value in _style(element).items()
                             if key != "font-family"})
        if "rotate(-0 " in element.attrib.get("transform", ""):
            del element.attrib["transform"]
    return largest


def _size(style: dict[str, str]) -> float:
    found = re.search(r"([\d.]+)px", style.get("font-size", style.get("font", "")))
    return float(found[1]) if found else 0.0
