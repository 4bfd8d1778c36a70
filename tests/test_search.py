"""search_strength: the strongest penalty that the new task can bear, and what it refuses."""

import math
import random
import warnings
from statistics import fmean

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from si_tutorial.importance import UniformImportance
from si_tutorial.search import search_strength


def monotone(strength):
    """A learner that reaches .9, less the stronger it is held: half of it at c = 1."""
    return 0.9 / (1 + strength)


def recorded(train_one):
    """The same, and the strengths that it was called with."""
    calls = []

    def call(strength):
        calls.append(strength)
        return train_one(strength)

    return call, calls


@pytest.fixture(autouse=True)
def _no_other_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# ------------------------------------------------------------------------------------ the recipe

@pytest.mark.parametrize("margin", [0.01, 0.02, 0.1, 0.15])
@pytest.mark.parametrize("start", [100.0, 3e4, 1e6])
@pytest.mark.parametrize("factor", [0.5, 0.3, 0.9])
def test_of_a_monotone_learner_it_finds_the_strongest_within_the_margin(margin, start, factor):
    """c / (1 + c) ≤ p · start / (1 + start): the next stronger one is outside."""
    found = search_strength(monotone, start=start, margin=margin, factor=factor, tries=200)
    share = margin * start / (1 + start)
    assert found.strength <= share / (1 - share) < found.strength / factor
    assert found.accuracy == monotone(found.strength) and found.fine_tuning == 0.9


def test_as_worked_out_by_hand():
    learner = {0.0: 0.875, 8.0: 0.125, 4.0: 0.25, 2.0: 0.5, 1.0: 0.625, 0.5: 0.6875}
    train_one, calls = recorded(learner.get)
    found = search_strength(train_one, start=8.0, margin=0.25)
    assert calls == list(learner)  # fine-tuning first; c = 8 withholds 3/4, and a quarter of that
    assert found == (0.5, 0.6875, 0.875, tuple(learner.items())[1:])  # is 3/16, just at c = 1/2


@pytest.mark.parametrize(("floor", "gain"), [(0.0, 0.5), (0.4, 0.5), (0.8, 0.15), (0.1, 1.0)])
def test_what_the_network_knows_already_is_not_at_stake(floor, gain):
    """Accuracy + constant, or times one, finds the same: chance and easy classes do not count."""
    plain = search_strength(monotone, start=64.0)
    other = search_strength(lambda c: floor + gain * (monotone(c) - monotone(64.0)), start=64.0)
    assert other.strength == plain.strength


def test_from_a_start_that_is_strong_enough_on_the_start_does_not_matter():
    """A learner that learns nothing at c ≥ 32, all at c ≤ 1, and in between by log c."""
    found = {search_strength(lambda c: 0.1 + 0.16 * (5 - math.log2(min(max(c, 1), 32))),
                             start=float(start)).strength for start in (32, 64, 1024, 2**20)}
    assert found == {2.0}  # log₂ c = 1: a fifth of the way


@pytest.mark.parametrize("power", [-9, -3, 0, 3])
def test_the_unit_of_the_strength_does_not_matter(power):
    """A measure whose importances are 2ᵏ times as large needs 2⁻ᵏ times the strength."""
    plain = search_strength(monotone, start=64.0)
    scaled = search_strength(lambda c: monotone(c * 2.0**power), start=64.0 * 2.0**-power)
    assert scaled.strength == plain.strength * 2.0**-power
    assert scaled.accuracy == plain.accuracy and len(scaled.tried) == len(plain.tried)


def test_a_larger_margin_never_finds_a_weaker_one():
    found = [search_strength(monotone, start=64.0, margin=p).strength
             for p in (0.01, 0.02, 0.05, 0.1, 0.3, 0.5)]
    assert found == sorted(found)


@pytest.mark.parametrize("old_tasks", [1, 2, 5, 100])
@pytest.mark.parametrize("margin", [0.0, 0.05, 0.2, 0.5])
def test_what_is_remembered_counts_once_for_each_old_task(margin, old_tasks):
    """Share : rest is `old_tasks` times p : 1 − p, so that the share stays below one."""
    learner = monotone if margin else lambda c: 0.9 if c < 1 else 0.4
    share = 1 - (1 - margin) / (1 + (old_tasks - 1) * margin)
    found = search_strength(learner, start=1024.0, margin=margin, old_tasks=old_tasks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a share near one is found at once
        assert found == search_strength(learner, start=1024.0, margin=share)


def test_three_old_tasks_by_hand():
    learner = {0.0: 0.875, 16.0: 0.125, 8.0: 0.125, 4.0: 0.25, 2.0: 0.5}
    found = search_strength(learner.get, start=16.0, margin=0.25, old_tasks=3)
    assert found.strength == 2.0  # half of what c = 16 withholds: 3/4 : 3/4 for 1/4 : 3/4


@pytest.mark.parametrize("seed", range(20))
def test_noise_moves_it_no_further_than_the_margin_that_it_is_worth(seed):
    """If no accuracy is off by ε, it lies between the answers for p ∓ 2ε / what is at stake."""
    noise = 0.005

    def noisy(strength):
        return monotone(strength) + noise * math.sin(1e4 * (strength + seed + 1))

    found = search_strength(noisy, start=64.0, margin=0.05)
    stake = 0.9 - monotone(64.0)
    low, high = (search_strength(monotone, start=64.0, margin=0.05 + sign * 2.1 * noise / stake)
                 for sign in (-1, 1))
    assert low.strength <= found.strength <= high.strength


def test_one_that_learns_better_under_a_penalty_is_taken():
    found = search_strength(lambda c: 0.9 if c <= 1 and c > 0 else 0.8 if c == 0 else 0.1,
                            start=4.0, margin=0.0)
    assert found.strength == 1.0 and found.accuracy > found.fine_tuning


def test_numbers_that_overflow_are_too_strong():
    def train_one(strength):
        if strength > 3:
            raise FloatingPointError("the training loss has become nan")
        return monotone(strength)

    with pytest.warns(RuntimeWarning, match=r"diverges with 5 of 10 strengths, down to 4\. .*"
                                            r"by what 2 withheld"):
        found = search_strength(train_one, start=64.0, margin=0.3)
    assert [c for c, accuracy in found.tried if math.isnan(accuracy)] == [64.0, 32.0, 16.0, 8.0, 4]
    rest = search_strength(train_one, start=2.0, margin=0.3)
    assert found == rest._replace(tried=found.tried) and found.tried[5:] == rest.tried


@pytest.mark.parametrize("margin", [0.02, 0.2, 0.4])
def test_a_start_that_is_too_weak_is_told(margin):
    """Where accuracy falls in proportion to c, a share p of the fall is at p times the start."""
    with pytest.warns(RuntimeWarning, match=r" found, close to the first .* 0\.001.* start higher"):
        found = search_strength(monotone, start=0.001, margin=margin)
    assert 0.0005 * margin <= found.strength <= 0.001 * margin


@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_a_start_that_withholds_nothing_is_taken_and_told(margin):
    with pytest.warns(RuntimeWarning, match=r"1 was found, close to the first strength, 1"):
        found = search_strength(lambda c: 0.9, start=1.0, margin=margin)
    assert found == (1.0, 0.9, 0.9, ((1.0, 0.9),))


# ------------------------------------------------------------------- with a look at old tasks too

def both(strength):
    """Together best at c = 1, where (new + old) / 2 is .8: each of the two loses beside it."""
    far = abs(math.log2(max(strength, 2.0**-6)))
    return [0.9 - 0.1 * far, 0.7 - 0.03 * far] if strength >= 1 else [0.9, 0.7 - 0.1 * far]


@pytest.mark.parametrize("start", [16.0, 64.0])
@pytest.mark.parametrize("factor", [0.5, 0.25])
def test_where_old_tasks_are_seen_the_best_mean_is_found(start, factor):
    found = search_strength(both, start=start, factor=factor)
    assert found[:2] == (1.0, pytest.approx(0.8)) and found.fine_tuning == pytest.approx(0.5)


def test_of_several_tasks_as_worked_out_by_hand():
    learner = {0.0: (0.875, 0.25, 0.25), 8.0: (0.125, 0.75, 0.75), 4.0: (0.5, 0.75, 0.625),
               2.0: (0.75, 0.5, 0.75), 1.0: (0.875, 0.5, 0.375)}
    train_one, calls = recorded(learner.get)
    found = search_strength(train_one, start=8.0)
    assert calls == list(learner)  # (0.875 + 0.5 + 0.375) / 3 is no better than c = 2
    assert found == (2.0, 2 / 3, 1.375 / 3,
                     ((8.0, 1.625 / 3), (4.0, 1.875 / 3), (2.0, 2 / 3), (1.0, 1.75 / 3)))


@pytest.mark.parametrize("seed", range(20))
def test_where_old_accuracy_only_falls_it_finds_what_all_tries_would(seed):
    """No weaker strength that is not tried would have been better, if nothing beats fine-tuning."""
    draw = random.Random(seed)
    strengths = [64.0 / 2**k for k in range(20)]
    new = sorted(draw.random() for _ in strengths)
    old = sorted((draw.random() for _ in strengths), reverse=True)
    learner = dict(zip(strengths, zip(new, old, strict=True), strict=True))
    learner[0.0] = new[-1], old[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = search_strength(learner.get, start=64.0)
    assert found.accuracy == max(map(fmean, learner.values())) == fmean(learner[found.strength])


def test_nearly_as_good_on_the_new_task_as_fine_tuning_does_not_end_it():
    learner = {0.0: (0.875, 0.25), 4.0: (0.125, 0.75), 2.0: (0.859375, 0.5), 1.0: (0.875, 0.5)}
    assert search_strength(learner.get, start=4.0).strength == 1.0


@pytest.mark.parametrize("settings", [{"margin": 0.0}, {"margin": 0.5}, {"old_tasks": 4}])
def test_what_old_tasks_are_worth_is_then_not_assumed(settings):
    assert search_strength(both, start=16.0, **settings) == search_strength(both, start=16.0)


def test_of_two_that_are_as_good_the_stronger_is_taken_and_of_none_that_helps_none():
    learner = {0.0: [0.75, 0.5], 4.0: [0.25, 0.75], 2.0: [0.5, 0.75], 1.0: [0.75, 0.5]}
    assert search_strength(learner.get, start=4.0).strength == 2.0
    learner[2.0] = [0.25, 0.75]
    assert search_strength(learner.get, start=4.0).strength == 1.0
    learner[1.0] = [0.75, 0.25]
    found = search_strength(learner.get, start=4.0)
    assert found.strength == 0.0 and found.accuracy == found.fine_tuning == 0.625


def test_where_the_new_task_teaches_the_old_ones_it_ends_at_once():
    train_one, calls = recorded(lambda c: [0.5, 0.75] if c else [0.875, 0.75])
    assert search_strength(train_one, start=8.0).strength == 0.0 and calls == [0.0, 8.0]


@pytest.mark.parametrize("kind", [tuple, torch.tensor, np.array,
                                  lambda a: [torch.tensor(one) for one in a]])
def test_accuracies_may_come_in_any_sequence(kind):
    found = search_strength(lambda c: kind(both(c)), start=16.0)
    assert found.strength == 1.0 and found.accuracy == pytest.approx(0.8)


def test_the_best_at_the_first_or_the_last_try_is_told():
    def learner(strength):  # never as good as fine-tuning on the new task
        return [0.6, 0.6] if strength else [0.9, 0.1]

    with pytest.warns(RuntimeWarning, match="^8 is best .* the strongest .*: start higher"):
        assert search_strength(learner, start=8.0, tries=4).strength == 8.0
    with pytest.warns(RuntimeWarning, match="^1 is best .* the weakest .*: raise `tries`"):
        found = search_strength(lambda c: [0.6, 0.6 - c / 100] if c else [0.9, 0.1], start=8.0,
                                tries=4)
    assert found.strength == 1.0


@pytest.mark.parametrize("diverged", [[math.nan, 0.5], [0.5, math.nan], math.nan])
def test_of_several_accuracies_one_nan_is_a_run_that_diverged(diverged):
    found = search_strength(lambda c: diverged if c > 4 else both(c), start=64.0)
    assert found.strength == 1.0
    assert [c for c, seen in found.tried if math.isnan(seen)] == [64.0, 32.0, 16.0, 8.0]
    with pytest.warns(RuntimeWarning, match="^0.5 is best .* Lower the learning rate"):
        search_strength(lambda c: diverged if c > 0.5 else both(c), start=64.0)
    with pytest.raises(RuntimeError, match="diverges with all of 3 strengths"):
        search_strength(lambda c: diverged if c else both(c), start=64.0, tries=3)


@pytest.mark.parametrize(("later", "words"), [
    ([0.9], r"train_one\(4\) returned 1 accuracies, and train_one\(0\) 2: .* same tasks"),
    (0.9, "1 accuracies"), ([0.9, 0.5, 0.5], "3 accuracies"),
    ([0.9, 50.0], r"train_one\(4\) returned \[0\.9, 50\.0\].* the new task's first"),
    ([], "returned \\[\\]")])
def test_accuracies_that_do_not_fit_are_refused(later, words):
    with pytest.raises(ValueError, match=words):
        search_strength(lambda c: later if c else [0.9, 0.5], start=4.0)


# -------------------------------------------------------------------------------- what is refused

def test_never_within_the_margin_is_an_error_that_tells_what_was_reached():
    train_one, calls = recorded(lambda c: 0.9 if c == 0 else 0.4)
    with pytest.raises(RuntimeError, match=r"none of 5 strengths from 8 down to 0\.5 comes within "
                                           r"0\.2 .* fine-tuning's accuracy 0\.9; the best "
                                           r"reaches 0\.4.*copies of the same network"):
        search_strength(train_one, start=8.0, tries=5)
    assert len(calls) == 6


@pytest.mark.parametrize(("settings", "words"), [
    ({"start": 0.0}, r"start .* got 0\.0"), ({"start": -1.0}, "start"),
    ({"start": math.inf}, "start"), ({"start": math.nan}, "start"),
    ({"margin": 1.0}, r"margin .* got 1\.0: it is a share"),
    ({"margin": 2}, "margin"), ({"margin": -0.1}, "margin"),
    ({"old_tasks": 0}, r"old_tasks .* got 0: with no task"), ({"old_tasks": math.inf}, "old_tasks"),
    ({"old_tasks": math.nan}, "old_tasks"), ({"factor": 1.0}, "factor"),
    ({"factor": 0.0}, "factor"), ({"factor": 2.0}, "factor"), ({"tries": 0}, "tries")])
def test_a_setting_out_of_range_is_refused_before_anything_is_trained(settings, words):
    train_one, calls = recorded(monotone)
    with pytest.raises(ValueError, match=words):
        search_strength(train_one, **{"start": 1.0} | settings)
    assert calls == []


@pytest.mark.parametrize("accuracy", [math.inf, 97.3, -0.1])
def test_what_is_no_accuracy_is_refused(accuracy):
    with pytest.raises(ValueError, match=r"train_one\(0\) returned .*from 0 to 1"):
        search_strength(lambda c: accuracy, start=1.0)


def test_strengths_that_all_overflow_are_an_error_too():
    def train_one(strength):
        if strength > 0:
            raise FloatingPointError("the training loss has become nan")
        return 0.9

    with pytest.raises(RuntimeError, match=r"diverges with all of 3 strengths from 4 down to 1, "
                                           r"but not without a penalty\. Lower the learning"):
        search_strength(train_one, start=4.0, tries=3)


def test_fine_tuning_that_overflows_is_not_hidden():
    def train_one(strength):
        raise FloatingPointError("the training loss has become nan")

    with pytest.raises(FloatingPointError, match="has become nan"):
        search_strength(train_one, start=1.0)


# ------------------------------------------------------------------------- what has diverged

def raises(strength):
    raise FloatingPointError("the training loss has become nan")


@pytest.mark.parametrize("diverged", [raises, lambda strength: math.nan],
                         ids=["an error", "NaN"])
@pytest.mark.parametrize("limit", [3.0, 0.3, 0.02])
def test_a_try_that_diverged_never_decides(diverged, limit):
    """The same is found, or not found, as from the first strength that does not diverge."""
    def train_one(strength):
        return diverged(strength) if strength > limit else monotone(strength)

    first = next(64 / 2**k for k in range(20) if 64 / 2**k <= limit)
    with pytest.warns(RuntimeWarning, match=f"by what {first:g} withheld, the first that does not"):
        found = search_strength(train_one, start=64.0, margin=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = search_strength(monotone, start=first, margin=0.1)
    assert found == alone._replace(tried=found.tried)
    assert [one for one in found.tried if one[0] <= limit] == list(alone.tried)
    assert all(math.isnan(accuracy) for c, accuracy in found.tried if c > limit)


def test_neither_does_one_that_diverges_by_chance_in_between():
    plain = search_strength(monotone, start=64.0)
    with pytest.warns(RuntimeWarning, match=r"1 of 10 strengths, down to 1\. .* what 64 withheld"):
        found = search_strength(lambda c: math.nan if c == 1 else monotone(c), start=64.0)
    assert found[:3] == plain[:3]


def test_fine_tuning_of_nan_is_refused_with_what_to_do():
    with pytest.raises(FloatingPointError, match=r"train_one\(0\) .* lower the learning rate"):
        search_strength(lambda c: math.nan, start=1.0)


@pytest.mark.parametrize("ignored", [False, True])
def test_what_sgd_cannot_be_stable_with_is_no_result(ignored):
    """As in the book: copies, some epochs, `consolidate`, an accuracy that a network of NaN has."""
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    steps = {}

    def train_one(strength):
        torch.manual_seed(0)
        network = nn.Linear(4, 2)
        measure = UniformImportance(network, strength=strength).consolidate()
        measure.attach(optimizer := torch.optim.SGD(network.parameters(), lr=0.1))
        with warnings.catch_warnings():
            if ignored:  # then NaN is what tells
                warnings.simplefilter("ignore")
            for steps[strength] in range(200):
                optimizer.zero_grad()
                F.cross_entropy(network(x), y).backward()
                optimizer.step()
        measure.consolidate()
        return (network(x).argmax(1) == y).float().mean().item()

    with pytest.warns(RuntimeWarning, match="by what 8 withheld") as caught:
        found = search_strength(train_one, start=128.0)
    assert len(caught) == 1
    # Ω = 1, and lr · 2c exceeds 2 above c = 10
    assert [c for c, accuracy in found.tried if math.isnan(accuracy)] == [128.0, 64.0, 32.0, 16.0]
    ended = [steps[c] for c, _ in found.tried[:5]]
    assert ended[4] == 199 and all((last + 1).bit_count() == 1 for last in ended[:4])
    assert ignored or ended[:4] == [0, 0, 0, 0]
