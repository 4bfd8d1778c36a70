"""The package and the chapters that explain it, each leading to the other, from one table.

`book/in_the_package.yml` lists every name of the package that a page uses, by concept and by the
chapter that explains it. The directive `concept` makes reference entries of it, with autodoc. Each
entry ends with its chapter, and each chapter with its entries, so that the two directions cannot
disagree.
"""

import importlib
import inspect
import re
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from numpy.typing import ArrayLike
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import stringify_annotation

PACKAGE = "si_tutorial"
FOREIGN = "QuadraticPenalty, Module, Exception, tuple, object"  # their members stand elsewhere
TABLE = Path(__file__).resolve().parents[1] / "book" / "in_the_package.yml"


def table():
    """Concept → chapter → {name: the words of a constant, else None}."""
    found = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return {concept: {chapter: dict(next(iter(item.items())) if isinstance(item, dict)
                                    else (item, None) for item in items)
                      for chapter, items in chapters.items()}
            for concept, chapters in found.items()}


def chapter_of():
    """The chapter that explains a name, by its full name."""
    return {f"{PACKAGE}.{name}": chapter for chapters in table().values()
            for chapter, names in chapters.items() for name in names}


def entry(name, words):
    """What autodoc is told, in its own language."""
    module, _, last = name.rpartition(".")
    if words:
        return [f".. py:data:: {last}", f"   :module: {module}", "",
                f"   {words[0].upper()}{words[1:]}.", "", f"   {explained(chapter_of()[name])}", ""]
    if not inspect.isclass(getattr(importlib.import_module(module), last)):
        return [f".. autofunction:: {name}", ""]
    if ".explorables." in name:  # a live figure's members are its settings, and told in words
        return [f".. autoclass:: {name}", ""]
    return [f".. autoclass:: {name}", "   :members:", f"   :inherited-members: {FOREIGN}", ""]


class Concept(SphinxDirective):
    """The entries of one concept, in the order of the table."""

    required_arguments = 1

    def run(self):
        self.env.note_dependency(str(TABLE))
        lines = [line for names in table()[self.arguments[0]].values()
                 for name, words in names.items() for line in entry(f"{PACKAGE}.{name}", words)]
        parent = nodes.Element()
        self.state.nested_parse(StringList(["```{eval-rst}", *lines, "```"], source=str(TABLE)),
                                self.content_offset, parent)
        return parent.children


def explained(chapter):
    return f"Explained in :doc:`/book/{chapter}`."


def name_chapter(app, what, name, thing, options, lines):
    """The last sentence of an entry; and |x| in a docstring is an absolute value."""
    lines[:] = [re.sub(r"\|([^|`]+)\|", r"\|\1\|", line) for line in lines]
    if chapter := chapter_of().get(name):
        lines += ["", explained(chapter), ""]


def short_signature(app, what, name, thing, options, signature, returns):
    """The names of types of NumPy's that autodoc would write out in full."""
    if signature:
        return signature.replace(stringify_annotation(ArrayLike, "smart"), "ArrayLike"), returns


def skip(app, what, name, thing, without, options):
    """A field of a named tuple, about which Python says nothing but its number."""
    return True if (thing.__doc__ or "").startswith("Alias for field number") else None


def name_entries(app, doctree):
    """The last line of a chapter."""
    docname = app.env.docname
    names = [name for name, chapter in chapter_of().items() if docname == f"book/{chapter}"]
    if not names:
        return
    line = nodes.paragraph("", "", nodes.strong(text="In the package"), nodes.Text(": "))
    for name in names:
        reference = addnodes.pending_xref(
            "", nodes.literal(text=name.removeprefix(f"{PACKAGE}.")), refdomain="py",
            reftype="obj", reftarget=name, refdoc=docname, refexplicit=True, refwarn=True)
        line += [reference, nodes.Text(" · ")]
    line.pop()
    doctree.next_node(nodes.section).append(nodes.container("", line, classes=["in-the-package"]))


def setup(app):
    app.add_directive("concept", Concept)
    app.connect("autodoc-process-docstring", name_chapter)
    app.connect("autodoc-process-signature", short_signature)
    app.connect("autodoc-skip-member", skip)
    app.connect("doctree-read", name_entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
