"""One weight and noisy gradients: what an account claims when the noise meets itself."""

from pathlib import Path

from traitlets import Enum, Float, Int

from si_tutorial.explorables.explorable import Explorable, bundle


class NoiseMeetsItself(Explorable):
    """Credit of one weight on a slope, by the gradient that it is taken with.

    The gradient of a batch is ḡ plus noise; the step is −η times the running mean of gradients
    with decay `beta1`. `log_batch` is log₂ of the batch size; `partner` says which gradient the
    step is multiplied with.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    log_batch = Int(1, min=0, max=10).tag(sync=True)
    beta1 = Float(0.0, min=0, max=0.95).tag(sync=True)
    partner = Enum(["same", "next", "independent"], default_value="same").tag(sync=True)
