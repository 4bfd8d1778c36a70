"""Two weights in a tilted bowl, to be played with: on the page, and live with a kernel."""

import json
import uuid
from pathlib import Path

import anywidget
import traitlets

SOURCE = Path(__file__).with_suffix(".js")

# The same module runs without a kernel: a model that only keeps the state, and a Blob to import.
STATIC = """<div id="{name}" class="si-explorable"></div>
<script type="module">
const state = {state}, listeners = {{}};
const model = {{
  get: (key) => state[key],
  set: (key, value) => {{
    state[key] = value;
    (listeners["change:" + key] ?? []).forEach((call) => call());
  }},
  on: (event, call) => (listeners[event] ??= []).push(call),
  off: (event, call) => {{ listeners[event] = listeners[event].filter((c) => c !== call); }},
  save_changes: () => {{}},
}};
const blob = new Blob([{source}], {{ type: "text/javascript" }});
const {{ default: figure }} = await import(URL.createObjectURL(blob));
figure.render({{ model, el: document.getElementById("{name}") }});
</script>"""


class QuadraticBowl(anywidget.AnyWidget):
    """Gradient flow in E = ½ dᵀ H d for two weights, with the share and importance of each.

    Attributes
    ----------
    curvature : float
        The larger eigenvalue of H; the other is 1.
    tilt : float
        Angle between weight 1 and the steep direction, in degrees.
    start : float
        Direction of d = θ(0) − θ*, in degrees; its length is 2.
    log_damping : float
        log₁₀ ξ.
    """

    _esm = SOURCE
    curvature = traitlets.Float(8.0).tag(sync=True)
    tilt = traitlets.Float(30.0).tag(sync=True)
    start = traitlets.Float(75.0).tag(sync=True)
    log_damping = traitlets.Float(-3.0).tag(sync=True)

    def _repr_mimebundle_(self, **kwargs):
        """The live view for a notebook, and for the static page the same figure as HTML."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/html": self.static()}, metadata

    def static(self) -> str:
        """The figure with its present state as HTML that needs no kernel and no other file."""
        state = {name: getattr(self, name)
                 for name in ("curvature", "tilt", "start", "log_damping")}

        def script(value):
            return json.dumps(value).replace("</", "<\\/")

        return STATIC.format(name=f"bowl-{uuid.uuid4().hex[:8]}", state=script(state),
                             source=script(SOURCE.read_text(encoding="utf-8")))
