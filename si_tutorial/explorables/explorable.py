"""What every interactive figure shares: its traits are its state, on a page and with a kernel."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

import anywidget

# The same module runs without a kernel: a model that only keeps the state, and a Blob to import.
STATIC = """<div id="{name}" class="si-explorable"></div>
<script type="module">
const rows = (keys, rows) => rows.map((row) => Object.fromEntries(keys.map((k, i) => [k, row[i]])));
const state = {state}, listeners = {{}};
const model = {{
  get: (key) => state[key],
  set: (key, value) => {{
    if (state[key] === value) return;
    state[key] = value;
    (listeners["change:" + key] ?? []).forEach((call) => call());
  }},
  on: (event, call) => (listeners[event] ??= []).push(call),
  off: (event, call) => {{
    listeners[event] = (listeners[event] ?? []).filter((c) => c !== call);
  }},
  save_changes: () => {{}},
}};
const blob = new Blob([{source}], {{ type: "text/javascript" }});
const {{ default: figure }} = await import(URL.createObjectURL(blob));
figure.render({{ model, el: document.getElementById("{name}") }});
</script>"""

IMPORT = re.compile(r'^((?:import|export)\b[^"\';]*?)"(\.{1,2}/[^"]+)"', re.MULTILINE)
REMARKS = re.compile(r"^[ \t]*(/\*\*.*?\*/\s*?$|//[^\n]*)?\n?[ \t]*", re.MULTILINE | re.DOTALL)
BREAKS = re.compile(r"^((?!.*//).*[;{},(])\n", re.MULTILINE)  # not after a remark, which ends there
ESCAPES = str.maketrans({c: f"%{ord(c):02X}" for c in "%#'\\\n\t"})


def bundle(file: Path) -> str:
    """The text of a module, with each file that it imports by a relative path as a data: URL.

    So one text holds all, for anywidget and for a page opened from disk. A file that several
    others import is one module all the same: a browser tells modules apart by their address.
    Lines that are comments, indentation, and line breaks where a statement, a list or a block goes
    on are left out. Raises ValueError where files import
    each other in a circle.
    """
    return _bundle(file.resolve(), ())


def _bundle(file: Path, above: tuple[Path, ...]) -> str:
    if file in above:
        circle = " imports ".join(path.name for path in (*above, file))
        raise ValueError(f"modules cannot be put into one text: {circle}; move what they share "
                         "into a file of its own")

    def inline(found: re.Match) -> str:
        text = _bundle((file.parent / found[2]).resolve(), (*above, file))
        return f"{found[1]}'data:text/javascript,{text.translate(ESCAPES)}'"

    text = IMPORT.sub(inline, REMARKS.sub("", file.read_text(encoding="utf-8")))
    return BREAKS.sub(r"\1", text)


class Explorable(anywidget.AnyWidget):
    """A figure to pull at. A subclass has traits, tagged `sync=True`, and the text of a module.

    The module exports `render({ model, el })`; `_esm = bundle(Path(__file__).with_suffix(".js"))`.
    """

    def _repr_mimebundle_(self, **kwargs):
        """The live view for a notebook, and for the static page the same figure as HTML."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/html": self.static()}, metadata

    def state(self) -> dict:
        """What the figure shows: the traits that its own class adds, as plain data."""
        return {name: getattr(self, name) for name in self.traits(sync=True)
                if not name.startswith("_") and name not in Explorable.class_traits()}

    def static(self) -> str:
        """The figure with its present state as HTML that needs no kernel and no other file."""
        state = ",".join(f"{_script(name)}:{_script(value)}" for name, value in
                         self.state().items())
        return STATIC.format(name=f"figure-{uuid.uuid4().hex[:8]}", state=f"{{{state}}}",
                             source=_script(self._esm))


def _script(value: Any) -> str:
    """`value` as JavaScript that is safe in a page; names of records alike stand there once."""
    if isinstance(value, list) and len(value) > 1 and all(
            isinstance(one, dict) and one.keys() == value[0].keys() for one in value):
        return f"rows({_script([*value[0]])},{_script([[*one.values()] for one in value])})"
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
