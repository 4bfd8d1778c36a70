"""What belongs together stays on one line: a number and its %, a formula and its comma."""

import re

from docutils import nodes

SPACE = "\N{NO-BREAK SPACE}"
JOINED = "\N{WORD JOINER}"  # beside a formula, which a browser would else part from anything
CLOSED = (nodes.literal, nodes.math, nodes.math_block, nodes.raw, nodes.FixedTextElement)


def is_open(node):
    """Whether a text is prose, and neither code nor mathematics."""
    while node is not None and not isinstance(node, CLOSED):
        node = node.parent
    return node is None


def tied(text, before, after):
    """The text, tied to what it may not be parted from, in itself and beside it."""
    said = re.sub(r"(?<=\d) (?=%)", SPACE, text)
    if said.startswith(" %") and before is not None and before.astext()[-1:].isdigit():
        said = SPACE + said[1:]
    if isinstance(before, nodes.math) and re.match(r"[,.;:?!)%]", said):
        said = JOINED + said
    if isinstance(after, nodes.math) and said.endswith("("):
        said += JOINED
    return said


def tie(app, doctree, docname):
    if app.builder.format != "html":
        return
    for parent in {id(text.parent): text.parent for text in doctree.findall(nodes.Text)}.values():
        for i, text in enumerate(parent.children):
            if isinstance(text, nodes.Text) and is_open(parent):
                before = parent[i - 1] if i else None
                after = parent[i + 1] if i + 1 < len(parent) else None
                parent[i] = nodes.Text(tied(text, before, after))


def setup(app):
    app.connect("doctree-resolved", tie, priority=900)  # after the links of `terms`
    return {"parallel_read_safe": True, "parallel_write_safe": True}
