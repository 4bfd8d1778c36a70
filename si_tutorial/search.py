"""Which strength? The published recipe: as strong as the new task can bear."""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple


class Found(NamedTuple):
    """What `search_strength` has found."""

    strength: float      # c, the strongest that was tried and is within the margin
    accuracy: float      # held-out accuracy on the new task with it
    fine_tuning: float   # and without a penalty, what it is measured by
    tried: tuple[tuple[float, float], ...]  # (c, accuracy), in the order they were tried


def search_strength(train_one: Callable[[float], float], *, start: float, margin: float = 0.1,
                    factor: float = 0.5, tries: int = 20) -> Found:
    """The strength for a new task, found without a look at an old one.

    Start with a strong penalty and weaken it until the network learns the new task nearly as well
    as it would with none::

        def train_one(strength):
            network, measure = fresh_copies()       # as the last task left them
            ...                                     # train on the new task's training examples
            return accuracy_on_held_out_examples    # of the new task

        found = search_strength(train_one, start=100.0)

    Parameters
    ----------
    train_one : called as `train_one(strength)`
        Trains on the new task and returns the accuracy, from 0 to 1, on examples of it that were
        not trained on. Each call must begin where the last task ended: with a copy of the network
        and of the measure. `train_one(0.0)`, which is called first, is fine-tuning. A
        FloatingPointError, which the measures raise where numbers overflow, counts as too strong.
    start : float
        The strongest c to try, in the units of the measure. Be generous: ten to a hundred times
        what you expect. For SI, c = 1 weighs the old loss like the new one.
    margin : float
        p, from 0 to 1: the share of fine-tuning's accuracy that you would give for remembering.
        A strength is taken if its accuracy is at least (1 − p) times fine-tuning's. A smaller p
        forgets more and learns better, and which of the two you want no search can tell (the paper
        has 0.2). Below the noise of one run, √(a (1 − a) / n) at an accuracy a on n examples, it
        means little: then let `train_one` return a mean over seeds.
    factor : float
        Between 0 and 1: by how much to weaken, each time.
    tries : int
        How many strengths to try at most, besides fine-tuning.

    Returns
    -------
    Found

    Raises
    ------
    ValueError
        If an argument is out of its range, or an accuracy is not from 0 to 1.
    RuntimeError
        If none of the strengths is within the margin.

    Warns
    -----
    RuntimeWarning
        If the first strength is within the margin: a stronger one might be, too.

    Notes
    -----
    This is the second phase of the continual hyperparameter selection framework of De Lange et
    al., A continual learning survey: defying forgetting in classification tasks, IEEE TPAMI 44
    (2022), section 4. Its first phase, choosing the learning rate by fine-tuning alone, is yours.
    """
    _check(start, margin, factor, tries)
    fine_tuning = _accuracy(train_one, 0.0)
    tried: list[tuple[float, float]] = []
    strength = float(start)
    while len(tried) < tries:
        accuracy = _accuracy(train_one, strength)
        tried.append((strength, accuracy))
        if accuracy >= (1 - margin) * fine_tuning:
            if len(tried) == 1:
                warnings.warn(
                    f"the first strength, {strength:g}, is within the margin already, and nothing "
                    "stronger was tried: start higher, to protect old tasks as well as you can",
                    RuntimeWarning, stacklevel=2)
            return Found(strength, accuracy, fine_tuning, tuple(tried))
        strength *= factor
    best = max(accuracy for _, accuracy in tried)
    raise RuntimeError(
        f"none of {tries} strengths from {start:g} down to {tried[-1][0]:g} is within {margin:g} "
        f"of fine-tuning's accuracy {fine_tuning:.4g}; the best reaches {best:.4g}. If the "
        "accuracy still rises towards the end, start lower or raise `tries`. If not, see that each "
        "call of train_one begins with copies of the same network and the same measure, or raise "
        "the margin")


def _check(start: float, margin: float, factor: float, tries: int) -> None:
    if not (math.isfinite(start) and start > 0):
        raise ValueError(f"start must be a finite number above 0, got {start!r}")
    if not 0 <= margin < 1:
        raise ValueError(f"margin must be at least 0 and below 1, got {margin!r}: it is a share of "
                         "fine-tuning's accuracy, 0.02 for two percent of it")
    if not 0 < factor < 1:
        raise ValueError(f"factor must lie between 0 and 1, got {factor!r}")
    if tries < 1:
        raise ValueError(f"tries must be at least 1, got {tries!r}")


def _accuracy(train_one: Callable[[float], float], strength: float) -> float:
    try:
        found = float(train_one(strength))
    except FloatingPointError:
        if strength == 0:  # fine-tuning itself: nothing to compare with
            raise
        return 0.0
    if not 0 <= found <= 1:
        raise ValueError(f"train_one({strength:g}) returned {found!r}: it must return an accuracy "
                         "from 0 to 1, on held-out examples of the new task")
    return found
