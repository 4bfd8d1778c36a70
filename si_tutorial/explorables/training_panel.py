"""A panel that retrains a network with other settings; on a page without a kernel, a still."""

from collections.abc import Callable, Sequence

import ipywidgets as widgets

from si_tutorial.figures import Shown


class TrainingPanel(widgets.VBox):
    """Choose a method, its strength and its damping; train; see the result.

    Parameters
    ----------
    train : callable (method, strength, damping, progress) -> Shown
        Does the work, and calls `progress()` as many times as `steps` says.
    methods : sequence of str
        What the menu offers. Strength and damping are out of use for "fine-tuning".
    steps : int
        The length of the progress bar.
    still : Shown
        What is shown before the first training, and on a page without a kernel.
    """

    WITHOUT_KERNEL = ("This panel trains a network, for which a running Python kernel is needed. "
                      "Here is a picture of its first state; open the notebook to change it.")

    def __init__(self, train: Callable[..., Shown], *, steps: int, still: Shown,
                 methods: Sequence[str] = ("SI", "fine-tuning")):
        self._train, self._still = train, still
        wide = {"style": {"description_width": "7em"}, "layout": {"width": "28em"}}
        self.method = widgets.Dropdown(options=methods, description="method", **wide)
        self.strength = widgets.FloatLogSlider(value=1.0, min=-3, max=3, step=0.25,
                                               description="strength c", **wide)
        self.damping = widgets.FloatLogSlider(value=1e-3, min=-6, max=1, step=0.5,
                                              description="damping ξ", readout_format=".1e", **wide)
        self.button = widgets.Button(description="Train", button_style="primary")
        self.progress = widgets.IntProgress(max=steps, description="", layout={"width": "16em"})
        self.status = widgets.Label()
        self.result = widgets.HTML(still._repr_html_())
        self.method.observe(self._method_changed, names="value")
        self.button.on_click(self._clicked)
        super().__init__([self.method, self.strength, self.damping,
                          widgets.HBox([self.button, self.progress, self.status]), self.result])
        self._method_changed()

    def _method_changed(self, *_):
        self.strength.disabled = self.damping.disabled = self.method.value == "fine-tuning"

    def _clicked(self, _):
        self.button.disabled = True
        self.progress.value = 0
        self.status.value = "training …"
        try:
            shown = self._train(self.method.value, self.strength.value, self.damping.value,
                                self._advance)
        except FloatingPointError as why:  # too strong a penalty is a result, too: say so
            self.status.value = str(why)
        else:
            self.result.value = shown._repr_html_()
            self.status.value = "done"
        finally:
            self.button.disabled = False

    def _advance(self):
        self.progress.value += 1

    def _repr_mimebundle_(self, **kwargs):
        """The live view for a notebook, and for the static page the still with a sentence."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data = {**data, "text/html": f"<p><em>{self.WITHOUT_KERNEL}</em></p>"
                                     f"{self._still._repr_html_()}"}
        return data, metadata
