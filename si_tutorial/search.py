"""Which strength? As strong as the new task can bear; the best for all tasks if they are seen."""

import math
import warnings
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from si_tutorial.errors import DivergenceWarning

Accuracies = tuple[float, ...]  # on the new task, and on old ones if train_one returns them
_STEADIER = "Lower the learning rate, train with Adam, or raise the measure's damping"


class Found(NamedTuple):
    """What `search_strength` has found."""

    strength: float      # c
    accuracy: float      # held-out accuracy with it; of several tasks, their mean
    fine_tuning: float   # and without a penalty, what it is measured by
    tried: tuple[tuple[float, float], ...]  # (c, accuracy) in their order, NaN if it diverged


def search_strength(train_one: Callable[[float], float | Sequence[float]], *, start: float,
                    margin: float = 0.2, old_tasks: int = 1, factor: float = 0.5,
                    tries: int = 20) -> Found:
    """The strength for a new task, found without a look at an old one, or with one if you can.

    Start with a penalty so strong that it keeps the network from learning, and weaken it until
    most of what it withheld is learned::

        def train_one(strength):
            network, measure = fresh_copies()       # as the last task left them
            ...                                     # train on the new task's training examples
            measure.consolidate()                   # refuses what has diverged
            return accuracy_on_held_out_examples    # of the new task

        found = search_strength(train_one, start=100.0)

    If you kept held-out examples of old tasks, let `train_one` return the accuracies on all tasks,
    the new one first: `[new, *old]`. Then the best mean of all is found. The penalty is weakened
    until a weaker one could only be better if it taught the new task better than fine-tuning does,
    or kept old tasks better than this one.

    Parameters
    ----------
    train_one : called as `train_one(strength)`
        Trains on the new task and returns the accuracy, from 0 to 1, on examples of it that were
        not trained on; or a sequence, this one first and then one for each old task. Each call must
        begin where the last task ended: with a copy of the network and of the measure.
        `train_one(0.0)`, which is called first, is fine-tuning.

        A run that has diverged must end in FloatingPointError, or return NaN. It counts as too
        strong, and as no result: a network of NaN gets some answers right. The measures raise that
        error in `consolidate`, and in training after 1, 2, 4, 8, … steps of a task. Where a
        measure warns that SGD will diverge, the run is ended at once and counts in the same way.
    start : float
        The strongest c to try, in the units of the measure. Be generous: a hundred times what you
        expect. For SI, c = 1 weighs the old loss like the new one.
    margin : float
        p, from 0 to 1: the share that you would give for remembering of what the penalty can
        withhold, which is fine-tuning's accuracy less the first strength's. At p = 0.2 the network
        must make up four fifths of that difference. A smaller p forgets more and learns better.
        Where p times the difference is below the noise of one run, √(a (1 − a) / n) at an accuracy
        a on n examples, chance decides: then let `train_one` return a mean over seeds. Without use
        where accuracies on old tasks are returned.
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
        If an argument is out of its range, an accuracy is not from 0 to 1, or `train_one` returns
        more or fewer of them than before.
    RuntimeError
        If none of the strengths is within the margin (where only the new task is seen), or training
        diverges with all of them.
    FloatingPointError
        If fine-tuning diverges.

    Warns
    -----
    RuntimeWarning
        If the strength found is close to the first: that one was perhaps not strong enough to show
        what a penalty can withhold. And if training diverged with any, since the first that did
        not is then what the others are measured by. Where old tasks are seen: if the strongest or
        the weakest of the strengths is the best, so that a better one may lie beyond.

    Notes
    -----
    This is the second phase of the continual hyperparameter selection framework of De Lange et
    al., A continual learning survey: defying forgetting in classification tasks, IEEE TPAMI 44
    (2022), section 4, with their p, but for one thing. They compare with fine-tuning's accuracy,
    we with what is at stake. Where a network that may hardly move knows nine tenths of the new
    task already, a fifth of fine-tuning's accuracy would be given for nothing. Their first phase,
    choosing the learning rate by fine-tuning alone, is yours.

    No search that looks at the new task alone can know what the old ones lose, so none is always
    near the best strength. In `benchmarks/search_strength.py`, over twelve seeds, a search before
    each of the last two of three tasks ends within 0.6 points of mean accuracy of the best fixed
    strength in ten trials of twelve, and 1.0 and 1.9 points below it in two with batches of 640.
    After two tasks that contradict each other, such as images and their negatives, the best
    strength can be one that hardly learns the second: nine points below.

    With 500 held-out examples of each task so far it ends, over twelve seeds, within 0.4 points of
    the best fixed strength in all twelve trials, after two tasks and after three, and on average
    0.7 points above it after three. c = 0.1 throughout is ahead of it in two of these 24
    comparisons, by 0.1 and 0.3 points, where it is the best fixed strength or next to it, and up to
    ten points behind in the others. With 100 examples of each, and six seeds, chance has more to
    say: up to 1.6 points below.
    """
    _check(start, margin, old_tasks, factor, tries)
    plain = _accuracies(train_one, 0.0)
    sees_old = len(plain) > 1
    share = old_tasks * margin / (1 - margin + old_tasks * margin)
    tried: list[tuple[float, Accuracies]] = []
    strength, done = float(start), False
    while not done and len(tried) < tries:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", DivergenceWarning)  # not worth its training
                seen = _accuracies(train_one, strength, len(plain))
        except (FloatingPointError, DivergenceWarning):
            seen = (math.nan,)
        tried.append((strength, seen))
        finite = [one for one in tried if not math.isnan(one[1][0])]
        strength *= factor
        if not math.isnan(seen[0]):
            if sees_old:
                weaker = fmean((plain[0], *seen[1:]))  # no weaker one should be better than this
                done = max(fmean(one) for _, one in [*finite, (0.0, plain)]) >= weaker
            else:
                done = plain[0] - seen[0] <= share * (plain[0] - finite[0][1][0])
    where = f"{tries} strengths from {start:g} down to {tried[-1][0]:g}"
    if not finite:
        raise RuntimeError(f"training diverges with all of {where}, but not without a penalty. "
                           f"{_STEADIER}. Or start lower, or raise `tries`")
    if sees_old:  # of two that are as good, the stronger: it comes first
        found, accuracies = max([*finite, (0.0, plain)], key=lambda one: fmean(one[1]))
        _warn_at_the_edge(found, finite, done)
    elif done:
        found, accuracies = tried[-1]
        _warn_if_weak(tried, finite[0][0], share * factor)
    else:
        raise RuntimeError(
            f"none of {where} comes within {share:g} of what {finite[0][0]:g} withheld from "
            f"fine-tuning's accuracy {plain[0]:.4g}; the best reaches "
            f"{max(seen[0] for _, seen in finite):.4g}. If the accuracy still rises towards the "
            "end, start lower or raise `tries`. If not, see that each call of train_one begins "
            "with copies of the same network and the same measure, or raise the margin")
    return Found(found, fmean(accuracies), fmean(plain),
                 tuple((c, fmean(seen)) for c, seen in tried))


def _warn_at_the_edge(found: float, finite: list[tuple[float, Accuracies]], done: bool) -> None:
    """Say so where the best strength is the first or the last: a better one may lie beyond."""
    if found == finite[0][0]:
        warnings.warn(f"{found:g} is best for all tasks together, and the strongest that was tried "
                      "and did not diverge: start higher, if it can be trained. "
                      f"{_STEADIER}, if not", RuntimeWarning, stacklevel=3)
    elif found == finite[-1][0] and not done:
        warnings.warn(f"{found:g} is best for all tasks together, and the weakest that was tried: "
                      "raise `tries`, or start lower", RuntimeWarning, stacklevel=3)


def _warn_if_weak(tried: list[tuple[float, Accuracies]], first: float, share: float) -> None:
    """Say so where the first strength that did not diverge is a doubtful measure of the others.

    A penalty that is not strong yet withholds in proportion to its strength. A share p of what the
    first withheld is then found at p times the first.
    """
    found = tried[-1][0]
    diverged = [c for c, seen in tried if math.isnan(seen[0])]
    weak = "was perhaps not strong enough to show what a penalty can withhold"
    if diverged:
        warnings.warn(
            f"training diverges with {len(diverged)} of {len(tried)} strengths, down to "
            f"{diverged[-1]:g}. They count as too strong and decide nothing: {found:g} was found "
            f"by what {first:g} withheld, the first that does not diverge, which {weak}. "
            f"{_STEADIER}, to try stronger ones", RuntimeWarning, stacklevel=3)
    elif found == first or 0 < share * first <= found:
        warnings.warn(
            f"{found:g} was found, close to the first strength, {first:g}, which {weak}: start "
            "higher, to protect old tasks as well as you can", RuntimeWarning, stacklevel=3)


def _check(start: float, margin: float, old_tasks: int, factor: float, tries: int) -> None:
    if not (math.isfinite(start) and start > 0):
        raise ValueError(f"start must be a finite number above 0, got {start!r}")
    if not 0 <= margin < 1:
        raise ValueError(f"margin must be at least 0 and below 1, got {margin!r}: it is a share "
                         "of what a penalty can withhold, 0.2 for a fifth of it")
    if not (math.isfinite(old_tasks) and old_tasks >= 1):
        raise ValueError(f"old_tasks must be at least 1, got {old_tasks!r}: with no task to "
                         "remember there is nothing to protect")
    if not 0 < factor < 1:
        raise ValueError(f"factor must lie between 0 and 1, got {factor!r}")
    if tries < 1:
        raise ValueError(f"tries must be at least 1, got {tries!r}")


def _accuracies(train_one: Callable[[float], float | Sequence[float]], strength: float,
                count: int | None = None) -> Accuracies:
    returned = train_one(strength)
    seen = tuple(np.ravel(np.asarray(returned, dtype=float)).tolist())
    what = f"train_one({strength:g}) returned"
    if any(map(math.isnan, seen)):
        raise FloatingPointError(f"{what} NaN: training has diverged, so lower the learning rate")
    if not seen or not all(0 <= accuracy <= 1 for accuracy in seen):
        raise ValueError(f"{what} {returned!r}: it must return an accuracy from 0 to 1, on "
                         "held-out examples of the new task, or several, the new task's first")
    if count not in (None, len(seen)):
        raise ValueError(f"{what} {len(seen)} accuracies, and train_one(0) {count}: it must return "
                         "as many at each strength, for the same tasks")
    return seen
