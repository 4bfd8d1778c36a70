"""Pages that can be opened from disk: take out what the theme writes for a server or a CDN.

The theme preloads its icon fonts with `crossorigin`, which a browser refuses for `file:` pages
(the style sheet loads them all the same); sphinx-thebe, which this book does not use, names a CDN
in a script on every page; and the state of the widgets, for which no page has a program, would put
every live figure on its page a second time. And for those who listen to the pages: the bar of
folded code has words, which a label would hide, and the references are called a list without being
one.
"""

import re
from pathlib import Path

UNWANTED = re.compile(r'<link rel="preload" as="font"[^>]*>\n?'
                      r"|<script>const THEBE_JS_URL.*?</script>\n?"
                      r'|<script type="application/vnd.jupyter.widget-state\+json">.*?</script>\n?'
                      r'|<script[^>]*src="[^"]*sphinx-thebe\.js[^"]*"[^>]*></script>\n?'
                      r'| aria-label="Toggle hidden content"'
                      r'|(?<=<div) role="list"(?= class="citation-list")', re.DOTALL)


def clean(app, exception):
    if exception is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            page.write_text(UNWANTED.sub("", text), encoding="utf-8")


def setup(app):
    app.connect("build-finished", clean)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
