"""Which strength? The published recipe: as strong as the new task can bear."""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple


class Found(NamedTuple):
    """What `search_strength` has found."""

    strength: float      # c, the strongest that was tried and learns enough
    accuracy: float      # held-out accuracy on the new task with it
    fine_tuning: float   # and without a penalty, what it is measured by
    tried: tuple[tuple[float, float], ...]  # (c, accuracy), in the order they were tried


def search_strength(train_one: Callable[[float], float], *, start: float, margin: float = 0.2,
                    factor: float = 0.5, tries: int = 20) -> Found:
    """The strength for a new task, found without a look at an old one.

    Start with a penalty so strong that it keeps the network from learning, and weaken it until
    most of what it withheld is learned::

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
        The strongest c to try, in the units of the measure. Be generous: a hundred times what you
        expect. For SI, c = 1 weighs the old loss like the new one.
    margin : float
        p, from 0 to 1: the share that you would give for remembering of what the penalty can
        withhold, which is fine-tuning's accuracy less the first strength's. At p = 0.2 the network
        must make up four fifths of that difference. A smaller p forgets more and learns better.
        Where p times the difference is below the noise of one run, √(a (1 − a) / n) at an accuracy
        a on n examples, chance decides: then let `train_one` return a mean over seeds.
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
        If none of the strengths is within the margin, or all of them overflow.

    Warns
    -----
    RuntimeWarning
        If the strength found is close to the first: that one was perhaps not strong enough to show
        what a penalty can withhold.

    Notes
    -----
    This is the second phase of the continual hyperparameter selection framework of De Lange et
    al., A continual learning survey: defying forgetting in classification tasks, IEEE TPAMI 44
    (2022), section 4, with their p, but for one thing. They compare with fine-tuning's accuracy,
    we with what is at stake. Where a network that may hardly move knows nine tenths of the new
    task already, a fifth of fine-tuning's accuracy would be given for nothing. Their first phase,
    choosing the learning rate by fine-tuning alone, is yours.

    No search that looks at the new task alone can know what the old ones lose, so none is always
    near the best strength. In `benchmarks/search_strength.py`, a search before each of the last two
    of three tasks ends within one point of mean accuracy of the best fixed strength in ten trials
    of twelve, and more than two points below it in the two with permuted digits. c = 0.1 throughout
    ends up to eight points below. After two tasks that contradict each other, such as images and
    their negatives, the best strength can be one that hardly learns the second: ten points below.
    """
    _check(start, margin, factor, tries)
    fine_tuning = _accuracy(train_one, 0.0)
    tried: list[tuple[float, float]] = []
    withheld = None  # by the first strength that did not overflow
    strength = float(start)
    while len(tried) < tries:
        try:
            accuracy = _accuracy(train_one, strength)
        except FloatingPointError:
            tried.append((strength, 0.0))
        else:
            tried.append((strength, accuracy))
            withheld = fine_tuning - accuracy if withheld is None else withheld
            if fine_tuning - accuracy <= margin * withheld:
                _warn_if_close(strength, start, margin * factor)
                return Found(strength, accuracy, fine_tuning, tuple(tried))
        strength *= factor
    best = max(accuracy for _, accuracy in tried)
    raise RuntimeError(
        f"none of {tries} strengths from {start:g} down to {tried[-1][0]:g} comes within "
        f"{margin:g} of what the first one withheld from fine-tuning's accuracy "
        f"{fine_tuning:.4g}; the best reaches {best:.4g}. If the accuracy still rises towards the "
        "end, start lower or raise `tries`. If not, see that each call of train_one begins with "
        "copies of the same network and the same measure, or raise the margin")


def _warn_if_close(found: float, start: float, share: float) -> None:
    """A penalty that is not strong yet withholds in proportion to its strength.

    A share p of what the first withheld is then found at p times the first.
    """
    if found == start or 0 < share * start <= found:
        warnings.warn(
            f"{found:g} was found, close to the first strength, {start:g}, which was perhaps not "
            "strong enough to show what a penalty can withhold: start higher, to protect old tasks "
            "as well as you can", RuntimeWarning, stacklevel=3)


def _check(start: float, margin: float, factor: float, tries: int) -> None:
    if not (math.isfinite(start) and start > 0):
        raise ValueError(f"start must be a finite number above 0, got {start!r}")
    if not 0 <= margin < 1:
        raise ValueError(f"margin must be at least 0 and below 1, got {margin!r}: it is a share "
                         "of what a penalty can withhold, 0.2 for a fifth of it")
    if not 0 < factor < 1:
        raise ValueError(f"factor must lie between 0 and 1, got {factor!r}")
    if tries < 1:
        raise ValueError(f"tries must be at least 1, got {tries!r}")


def _accuracy(train_one: Callable[[float], float], strength: float) -> float:
    found = float(train_one(strength))
    if not 0 <= found <= 1:
        raise ValueError(f"train_one({strength:g}) returned {found!r}: it must return an accuracy "
                         "from 0 to 1, on held-out examples of the new task")
    return found
