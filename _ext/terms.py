"""Where a page first uses a word of the glossary, the word leads there.

The links are made when the pages are built. So they stand at the first use whatever is written
before it, and a notebook in JupyterLab or Colab shows its sentences without any markup.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util.nodes import make_refnode

CLOSED = (nodes.title, nodes.reference, nodes.literal, nodes.math, nodes.raw, nodes.caption,
          nodes.FixedTextElement)
GLOSSARY = "book/glossary"
OF_THEIR_OWN = {"book/notation"}  # it says itself what each word means


def places(env):
    """Word → the label of its entry in the glossary, one for all words of an entry."""
    items = env.get_doctree(GLOSSARY).findall(nodes.definition_list_item)
    entries = [list(item.findall(nodes.term)) for item in items]
    return {term.astext(): terms[0]["ids"][0] for terms in entries for term in terms}


def pattern(words):
    """Finds each of the words, with a plural's ending; a word may begin a sentence."""
    forms = [f"[{w[0].upper()}{w[0]}]{re.escape(w[1:])}" for w in sorted(words, key=len)[::-1]]
    return re.compile(rf"(?<![\w-])({'|'.join(forms)})(?=(?:e?s)?(?![\w-]))")


def chapter(node, docname):
    """The page that the text is from, in a book on one page too."""
    while node is not None and not isinstance(node, addnodes.start_of_file):
        node = node.parent
    return docname if node is None else node["docname"]


def is_prose(text):
    """In a paragraph, and in nothing that is a link or code or mathematics."""
    node, within = text.parent, False
    while node is not None:
        if isinstance(node, CLOSED):
            return False
        within |= isinstance(node, nodes.paragraph)
        node = node.parent
    return within


def link(app, doctree, docname):
    where, seen = places(app.env), set()
    words = pattern(where)
    for text in list(doctree.findall(nodes.Text)):
        page = chapter(text, docname)
        if (page in OF_THEIR_OWN or Path(app.env.doc2path(page)).suffix != ".ipynb"
                or not is_prose(text)):
            continue
        parts, end = [], 0
        for match in words.finditer(text):
            word = match[0] if match[0] in where else match[0][0].lower() + match[0][1:]
            if (page, where[word]) not in seen:
                seen.add((page, where[word]))
                reference = make_refnode(app.builder, docname, GLOSSARY, where[word],
                                         nodes.Text(match[0]))
                reference["classes"] = ["term"]
                parts += [nodes.Text(text[end:match.start()]), reference]
                end = match.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def setup(app):
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
