"""Which edition a page is of: version and date below each page, how to install and to cite it.

The version is the package's. The address is the one in _config.yml, and as long as that is the
placeholder, no line names it.
"""

import importlib.metadata

from face import PLACEHOLDER
from sphinx.util.i18n import format_date

INSTALL = '''```
pip install "si-tutorial @ git+{url}@{branch}"
```'''
IN_A_CLONE = '''In a clone of the repository, this installs it:

```
pip install .
```'''
CITE = '''```bibtex
@software{{si_tutorial,
  author = {{{{{author}}}}},
  title = {{{title}: a book and a package for PyTorch}},
  version = {{{version}}},
  year = {{{year}}}{url}
}}
```'''


def say(app, config):
    options = config.html_theme_options
    url = options["repository_url"]
    known = PLACEHOLDER not in url
    config.version = config.release = version = importlib.metadata.version("si-tutorial")
    day = format_date("%-d %B %Y", language=config.language)
    options["extra_footer"] += f" Version {version}, built on {day}."
    config.myst_substitutions |= {
        "installation": INSTALL.format(url=url, branch=options["repository_branch"]) if known
        else IN_A_CLONE,
        "citation": CITE.format(author=config.author, title=config.html_title, version=version,
                                year=format_date("%Y", language=config.language),
                                url=f",\n  url = {{{url}}}" if known else "")}


def setup(app):
    app.connect("config-inited", say)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
