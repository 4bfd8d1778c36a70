"""What a page shows of itself elsewhere: its title, a description, a card for a shared link.

The description is one sentence in the metadata of the notebook (or at the top of the Markdown
file) as `description`. While the repository's address is the placeholder, no button leads there.
"""

import html
import json
from pathlib import Path

PLACEHOLDER = "-owner-"  # the owner in _config.yml until someone publishes the book


def hide_buttons(app, config):
    """Before the theme makes its buttons of them."""
    options = config.html_theme_options
    if PLACEHOLDER in options.get("repository_url", ""):
        options.update(use_repository_button=False, use_edit_page_button=False,
                       launch_buttons={})


def description(app, name):
    source = Path(app.env.doc2path(name))
    if source.suffix == ".ipynb":
        return json.loads(source.read_text(encoding="utf-8"))["metadata"].get("description", "")
    return app.env.metadata[name].get("description", "")


def add_face(app, name, template, context, doctree):
    book = app.config.html_title
    if name not in app.env.found_docs:
        return
    if name == app.config.root_doc:
        context["docstitle"] = ""  # its own title is the book's
    words = description(app, name)
    face = {"og:type": "article", "og:site_name": book, "og:title": app.env.titles[name].astext(),
            "twitter:card": "summary"}
    if words:
        face |= {"description": words, "og:description": words}
    context.setdefault("metatags", "")  # the index, which no source is written for, has none
    for key, value in face.items():
        kind = "property" if key.startswith("og:") else "name"
        context["metatags"] += f'\n<meta {kind}="{key}" content="{html.escape(value)}">'


NOT_FOUND = """<!DOCTYPE html>
<html lang="{lang}"><head><meta charset="utf-8"><title>No such page — {book}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark">
<style>body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 12vh auto;
padding: 0 1rem }} :any-link {{ color: LinkText }}</style></head>
<body><main><h1>No such page</h1>
<p>The address leads nowhere: the page has moved, or there never was one.</p>
<p>These pages exist:</p><ul>
{links}
</ul></main></body></html>
"""


def write_not_found(app, exception):
    """A page that a server shows for any wrong address, however deep: its links are absolute."""
    if exception is not None or app.builder.format != "html":
        return
    root = "/" + app.config.html_theme_options["repository_url"].rsplit("/", 1)[-1]
    links = "\n".join(
        f'<li><a href="{root}/{app.builder.get_target_uri(name)}">'
        f"{html.escape(app.env.titles[name].astext())}</a></li>"
        for name in app.env.toctree_includes[app.config.root_doc] if name in app.env.titles)
    first = f'<li><a href="{root}/index.html">{html.escape(app.config.html_title)}</a></li>\n'
    page = NOT_FOUND.format(lang=app.config.language, book=app.config.html_title,
                            links=first + links)
    (Path(app.outdir) / "404.html").write_text(page, encoding="utf-8")


def setup(app):
    app.connect("config-inited", hide_buttons)
    app.connect("html-page-context", add_face)
    app.connect("build-finished", write_not_found)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
