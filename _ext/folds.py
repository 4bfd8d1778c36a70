"""Folded code says what it is: the bar that unfolds it takes its words from the cell's tags."""

import json

WORDS = {"imports": "Imports and data", "figure": "Code of the figure",
         "table": "Code of the table", "check": "Check", "timing": "Code of the timing"}


def label(app, name, source):
    """Write the bar's words into the metadata of each cell that has a tag of WORDS."""
    if not app.env.doc2path(name).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        for tag in cell["metadata"].get("tags", []):
            if tag in WORDS:
                cell["metadata"]["mystnb"] = {
                    **cell["metadata"].get("mystnb", {}),
                    "code_prompt_show": WORDS[tag], "code_prompt_hide": WORDS[tag]}
    source[0] = json.dumps(notebook)


def setup(app):
    app.connect("source-read", label)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
