"""The square of the mean, and the mean of the squares: what a batch leaves of the Fisher."""

from pathlib import Path

from traitlets import Float, Int

from si_tutorial.explorables.explorable import Explorable, bundle


class SquareOfMean(Explorable):
    """Gradients of single examples, the means of batches of them, and both kinds of square.

    `log_batch` is log₂ of the batch size, `mean_grad` the mean gradient ḡ (the single ones scatter
    with variance 1), `seed` the draw that is shown.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    log_batch = Int(2, min=0, max=7).tag(sync=True)
    mean_grad = Float(0.1, min=0, max=1).tag(sync=True)
    seed = Int(1, min=1, max=1000).tag(sync=True)
