"""The accuracy matrix, and what is read off it.

`accuracy[i, j]` is the test accuracy, between 0 and 1, on task j after training on tasks 0 to i;
for T tasks its shape is (T, T). All functions take anything that NumPy reads as such a matrix.

Sources: Lopez-Paz & Ranzato, Gradient Episodic Memory, NeurIPS 2017 (average accuracy, backward
and forward transfer); Chaudhry et al., Riemannian Walk, ECCV 2018 (forgetting).
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


def average_accuracy(accuracy: ArrayLike) -> float:
    """ACC: the mean accuracy over all tasks after the last one."""
    return float(_square(accuracy)[-1].mean())


def seen_accuracy(accuracy: ArrayLike) -> np.ndarray:
    """After each task, the mean accuracy over the tasks seen so far; shape (T,)."""
    accuracy = _square(accuracy)
    return np.array([accuracy[i, : i + 1].mean() for i in range(len(accuracy))])


def backward_transfer(accuracy: ArrayLike) -> float:
    """BWT: mean over the earlier tasks of (accuracy at the end − accuracy when just learned).

    Negative where later tasks damaged earlier ones.
    """
    accuracy = _two_tasks(accuracy)
    return float((accuracy[-1] - accuracy.diagonal())[:-1].mean())


def forward_transfer(accuracy: ArrayLike, at_start: ArrayLike) -> float:
    """FWT: mean over the later tasks of (accuracy just before a task is trained − at the start).

    `at_start` is the untrained network's accuracy on each task, shape (T,).
    """
    accuracy = _two_tasks(accuracy)
    at_start = np.asarray(at_start, dtype=float)
    if at_start.shape != (len(accuracy),):
        raise ValueError(f"at_start must hold one accuracy per task, shape ({len(accuracy)},), "
                         f"got {at_start.shape}")
    return float((accuracy.diagonal(offset=1) - at_start[1:]).mean())


def forgetting(accuracy: ArrayLike) -> float:
    """Mean over the earlier tasks of (best accuracy before the last task − accuracy at the end)."""
    accuracy = _two_tasks(accuracy)
    return float((accuracy[:-1].max(axis=0) - accuracy[-1])[:-1].mean())


def transfer(in_sequence: ArrayLike, alone: ArrayLike) -> float:
    """Mean over the tasks after the first of (just learned in sequence − learned alone).

    Row j of `alone` asks, for each task up to j, the network that was trained on it alone.
    """
    return _just_learned(in_sequence, alone)


def retention(accuracy: ArrayLike) -> float:
    """Mean over the tasks after the first of (accuracy at the end − when just learned).

    Backward transfer averages over all tasks but the last one. This averages over those that
    `transfer` and `protection_cost` speak of, so that transfer − cost + retention is the gain.
    """
    accuracy = _two_tasks(accuracy)
    return float((accuracy[-1] - accuracy.diagonal())[1:].mean())


def protection_cost(protected: ArrayLike, plain: ArrayLike) -> float:
    """Mean over the tasks after the first of (just learned without protection − under it).

    Positive where protection leaves too little freedom.
    """
    return -_just_learned(protected, plain)


def confidence_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Where the mean of such values lies: mean ± t s/√n, with Student's t for n − 1 degrees."""
    mean, spread, n, t = _student(values, level)
    return mean - t * spread / n**0.5, mean + t * spread / n**0.5


def prediction_interval(values: ArrayLike, level: float = 0.95, *,
                        alike: Sequence[ArrayLike] = ()) -> tuple[float, float]:
    """Where one further value lies: mean ± t s √(1 + 1/n), with Student's t for n − 1 degrees.

    Exact for independent normal values. Wider than the confidence interval by √(n + 1), for a new
    value varies by itself, while the interval of the mean shrinks with every value. `alike` are
    other groups of values that spread as much around means of their own: s is then pooled over
    all of them, and t has as many degrees as they have together.
    """
    mean, spread, n, t = _student(values, level, alike)
    return mean - t * spread * (1 + 1 / n)**0.5, mean + t * spread * (1 + 1 / n)**0.5


ENOUGH = 3  # seeds from which on the book shows an interval or a band: below, the seeds say more


class Difference(NamedTuple):
    """How much two methods differ over the same seeds, with two intervals of the mean."""
    mean: float
    alone: tuple[float, float]     # as if it were the only one that is read
    together: tuple[float, float]  # wider: all that are read hold at once (Bonferroni)


def differences(values: Mapping[str, ArrayLike], level: float = 0.95, *,
                against: str | None = None) -> dict[str, Difference]:
    """Each pair of methods, "A − B" with A the higher one, the largest difference first.

    `values` has one accuracy per seed for each method, the same seeds in the same order, so that
    the runs are paired. With `against`, each of the others minus that one, and no other pairs:
    the fewer intervals are read, the less each has to be widened for all to hold together.
    """
    arrays = {name: np.asarray(series, dtype=float) for name, series in values.items()}
    if len({array.shape for array in arrays.values()}) > 1:
        raise ValueError("paired runs need the same seeds for each method, got "
                         f"{ {name: len(array) for name, array in arrays.items()} }")
    ranked = sorted(arrays, key=lambda name: -arrays[name].mean())
    pairs = (list(combinations(ranked, 2)) if against is None else
             [(name, against) for name in ranked if name != against])
    found = {}
    for one, other in pairs:
        gap = arrays[one] - arrays[other]
        found[f"{one} − {other}"] = Difference(
            float(gap.mean()), confidence_interval(gap, level),
            confidence_interval(gap, 1 - (1 - level) / len(pairs)))
    return dict(sorted(found.items(), key=lambda item: -item[1].mean))


def pooled_spread(groups: Sequence[ArrayLike]) -> tuple[float, int]:
    """The standard deviation of values around their groups' means, and its degrees of freedom.

    NaN where there are none.
    """
    off = [group - group.mean() for group in (np.asarray(one, dtype=float) for one in groups)]
    degrees = sum(len(group) - 1 for group in off)
    squares = sum(float((group ** 2).sum()) for group in off)
    return (squares / degrees) ** 0.5 if degrees else float("nan"), degrees


def _student(values: ArrayLike, level: float, alike: Sequence[ArrayLike] = ()
             ) -> tuple[float, float, int, float]:
    """Mean, standard deviation (by degrees of freedom), n and the two-sided quantile t."""
    from scipy import stats

    groups = [np.asarray(group, dtype=float) for group in (values, *alike)]
    uneven = any(group.ndim != 1 or len(group) == 0 for group in groups)
    spread, degrees = pooled_spread([] if uneven else groups)
    if degrees < 1:
        raise ValueError("an interval needs at least two values, got shape "
                         f"{' and '.join(str(group.shape) for group in groups)}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}")
    return (float(groups[0].mean()), spread, len(groups[0]),
            float(stats.t.ppf((1 + level) / 2, degrees)))


def _just_learned(one: ArrayLike, other: ArrayLike) -> float:
    one, other = _two_tasks(one), _two_tasks(other)
    if one.shape != other.shape:
        raise ValueError(f"two runs on the same tasks are compared, got matrices of shape "
                         f"{one.shape} and {other.shape}")
    return float((one.diagonal() - other.diagonal())[1:].mean())


def _square(accuracy: ArrayLike) -> np.ndarray:
    accuracy = np.asarray(accuracy, dtype=float)
    if accuracy.ndim != 2 or accuracy.shape[0] != accuracy.shape[1] or accuracy.size == 0:
        raise ValueError(f"an accuracy matrix has one row and one column per task, got shape "
                         f"{accuracy.shape}")
    return accuracy


def _two_tasks(accuracy: ArrayLike) -> np.ndarray:
    accuracy = _square(accuracy)
    if len(accuracy) < 2:
        raise ValueError("transfer and forgetting need at least two tasks")
    return accuracy
