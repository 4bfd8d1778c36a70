"""The way back: where an equation introduces a symbol, a link to the notation page.

The notation page links each symbol to the equation that introduces it. This turns those links
around, so that the two directions can never disagree.
"""

import re
from pathlib import Path

TARGET = re.compile(r'href="(\w*)(?:\.html)?#equation-(eq-[\w-]+)"')
LINK = ('<a class="to-notation" href="notation.html#symbols" '
        'title="The symbols introduced here, on the notation page">notation</a>')


def link_back(app, exception):
    folder = Path(app.outdir) / "book"
    notation = folder / "notation.html"
    if exception is not None or app.builder.format != "html" or not notation.exists():
        return
    text = notation.read_text(encoding="utf-8")
    symbols = re.search(r'<section id="symbols">.*?</table>', text, re.DOTALL)
    targets = set(TARGET.findall(symbols[0])) if symbols else set()  # a draft has no tables
    for chapter in {chapter for chapter, _ in targets}:
        page = folder / f"{chapter}.html"
        text = page.read_text(encoding="utf-8")
        for label in (label for name, label in targets if name == chapter):
            equation = re.compile(rf'(id="equation-{label}">\s*<span class="eqno">)')
            text, found = equation.subn(rf"\g<1>{LINK} ", text)
            if found != 1:
                raise RuntimeError(f"{page.name}: found {found} equations {label}, expected one")
        page.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("build-finished", link_back)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
