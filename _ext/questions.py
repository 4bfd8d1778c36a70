"""Questions with an answer for every choice: a directive for the chapters.

The source is a list that can be read where nothing renders it, as in JupyterLab:

    ```{question}
    :picture: cell-03

    Which of the two weights has the stiffer spring?

    - ( ) Weight 2, which moved farther.

      Why somebody may think so, and what is overlooked.
    - (x) Weight 1.

      Why this is right.
    ```

`:picture:` names the notebook cell that draws what the question is about. On a page the choices
are radio buttons, and question.js shows the answer to the chosen one. On paper and in any other
format the choices are a list, and the answers a second list below it.
"""

import re
from string import ascii_lowercase

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import getLogger

MARK = re.compile(r"\(( |x)\)\s+")
RIGHT, WRONG = "Right.", "Not quite."
log = getLogger(__name__)


class question(nodes.General, nodes.Element):  # noqa: N801 (a node's name is its tag)
    """Its children: one stem, the choices, one answers."""


class stem(nodes.General, nodes.TextElement):  # noqa: N801
    pass


class choice(nodes.General, nodes.TextElement):  # noqa: N801
    pass


class answers(nodes.General, nodes.Element):  # noqa: N801
    """One answer for each choice, in their order."""


class answer(nodes.General, nodes.Element):  # noqa: N801
    pass


class MalformedError(Exception):
    """What is wrong with a question, and what its author is to do."""


class Question(SphinxDirective):
    has_content = True
    option_spec = {"picture": directives.unchanged_required}  # noqa: RUF012 (docutils' own form)

    def run(self):
        parsed = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        number = self.env.new_serialno("question") + 1
        name = f"{self.env.docname.replace('/', '-')}-question-{number}"
        try:
            return [self.built(parsed, name)]
        except MalformedError as error:
            log.warning("question %d, %s: %s", number, self.place(), error, type="question",
                        location=(self.env.docname, self.lineno))
            return []

    def place(self):
        """Where it stands, as an author counts."""
        cell, line = divmod(self.lineno, 10_000)   # MyST-NB: line 2 of cell 3 is 30003
        return f"line {line - 1} of cell {cell}" if cell else f"line {line}"

    def built(self, parsed, name):
        if [type(part) for part in parsed.children] != [nodes.paragraph, nodes.bullet_list]:
            raise MalformedError("write one paragraph that asks, and below it one list of choices")
        if html := next(iter(parsed.findall(nodes.raw)), None):
            raise MalformedError(f"write Markdown in place of the HTML “{html.astext()}”")
        asked, listed = parsed.children
        found = [self.read(item, i) for i, item in enumerate(listed.children)]
        if len(found) < 2:
            raise MalformedError("it has one choice: add another, with its answer")
        if (rights := sum(right for right, *_ in found)) != 1:
            raise MalformedError(f"{rights} choices are marked as right: mark one with (x), the "
                                 "others with ( )")
        given = [answer("", *blocks, right=right) for right, _, blocks in found]
        chosen = [choice("", "", *text, right=right, name=name, letter=letter)
                  for (right, text, _), letter in zip(found, ascii_lowercase, strict=False)]
        return question("", stem("", "", *asked.children), *chosen, answers("", *given),
                        ids=[name], name=name)

    def read(self, item, index):
        """A choice: whether it is right, its text, and the blocks of its answer."""
        first, *blocks = item.children or [nodes.paragraph()]
        text = first.children if isinstance(first, nodes.paragraph) else []
        mark = MARK.match(text[0].astext()) if text and isinstance(text[0], nodes.Text) else None
        if mark is None:
            raise MalformedError(f"begin choice {index + 1} with ( ) or, if it is right, with (x)")
        text[0] = nodes.Text(text[0].astext()[mark.end():])
        if not blocks or not isinstance(blocks[0], nodes.paragraph):
            raise MalformedError(f"choice {index + 1} has no answer: below it, after an empty "
                                 "line and indented as its text, say why it is right or wrong")
        right = mark[1] == "x"
        blocks[0][:0] = [nodes.inline("", RIGHT if right else WRONG, classes=["si-verdict"]),
                         nodes.Text(" ")]
        return right, text, blocks


class AsList(SphinxPostTransform):
    """In formats without radio buttons: the question, its choices, and then the answers."""

    default_priority = 200

    def run(self):
        if self.app.builder.format == "html":
            return
        for found in list(self.document.findall(question)):
            asked, *chosen, given = found.children
            lists = [[nodes.list_item("", nodes.paragraph("", "", *c.children)) for c in chosen],
                     [nodes.list_item("", *a.children) for a in given.children]]
            of_choices, of_answers = (
                nodes.enumerated_list("", *items, enumtype="arabic", prefix="", suffix=".")
                for items in lists)
            found.replace_self([
                nodes.paragraph("", "", nodes.strong("", "", *asked.children)), of_choices,
                nodes.paragraph("", "Answers:"), of_answers])


def visit_question(self, node):
    self.body.append(self.starttag(node, "fieldset", CLASS="si-quiz"))


def depart_question(self, node):
    self.body.append('<div class="si-quiz-said" role="status"></div></fieldset>\n')


def visit_choice(self, node):
    name, letter = (self.attval(node[what]) for what in ("name", "letter"))
    self.body.append(
        f'<div class="si-quiz-choice"><input type="radio" name="{name}" id="{name}-{letter}" '
        f'value="{letter}"><label for="{name}-{letter}"><span class="si-letter">{letter}. '
        '</span>')


def visit_answer(self, node):
    letter = ascii_lowercase[node.parent.index(node)]
    self.body.append(f'<div class="si-answer" data-to="{letter}" '
                     f'data-right="{str(node["right"]).lower()}"><span class="si-letter">'
                     f"{letter}. </span>")


def tags(before, after):
    return (lambda self, node: self.body.append(before),
            lambda self, node: self.body.append(after))


def setup(app):
    app.add_node(question, html=(visit_question, depart_question))
    app.add_node(stem, html=tags("<legend>", "</legend>\n"))
    app.add_node(choice, html=(visit_choice, tags("", "</label></div>\n")[1]))
    app.add_node(answers, html=tags('<div class="si-answers">', "</div>\n"))
    app.add_node(answer, html=(visit_answer, tags("", "</div>\n")[1]))
    app.add_directive("question", Question)
    app.add_post_transform(AsList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
