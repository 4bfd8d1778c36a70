"""search_strength: the strongest penalty that the new task can bear, and what it refuses."""

import math
import warnings

import pytest

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
@pytest.mark.parametrize("start", [1.0, 100.0, 1e6])
@pytest.mark.parametrize("factor", [0.5, 0.3, 0.9])
def test_of_a_monotone_learner_it_finds_the_strongest_within_the_margin(margin, start, factor):
    """1 / (1 + c) ≥ 1 − p where c ≤ p / (1 − p): the next stronger one is outside."""
    found = search_strength(monotone, start=start, margin=margin, factor=factor, tries=200)
    limit = margin / (1 - margin)
    assert found.strength <= limit < found.strength / factor
    assert found.accuracy == monotone(found.strength) and found.fine_tuning == 0.9


def test_as_worked_out_by_hand():
    train_one, calls = recorded(monotone)
    found = search_strength(train_one, start=2.0, margin=0.25)
    assert calls == [0.0, 2.0, 1.0, 0.5, 0.25]  # fine-tuning first; .9 / 1.25 is .8 of .9
    assert found == (0.25, 0.9 / 1.25, 0.9, tuple((c, 0.9 / (1 + c)) for c in calls[1:]))


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


@pytest.mark.parametrize("seed", range(20))
def test_noise_moves_it_no_further_than_the_margin_that_it_is_worth(seed):
    """If no accuracy is off by more than ε, it lies between the answers for p ∓ 2ε / .9."""
    noise = 0.005

    def noisy(strength):
        return monotone(strength) + noise * math.sin(1e4 * (strength + seed + 1))

    found = search_strength(noisy, start=64.0, margin=0.05)
    low, high = (search_strength(monotone, start=64.0, margin=0.05 + sign * 2.1 * noise / 0.9)
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

    found = search_strength(train_one, start=64.0, margin=0.5)
    assert found.strength == 1.0 and found.tried[0] == (64.0, 0.0)


def test_a_start_that_is_within_the_margin_is_told():
    with pytest.warns(RuntimeWarning, match=r"first strength, 0\.001, .* start higher"):
        found = search_strength(monotone, start=0.001)
    assert found.strength == 0.001 and len(found.tried) == 1


# -------------------------------------------------------------------------------- what is refused

def test_never_within_the_margin_is_an_error_that_tells_what_was_reached():
    train_one, calls = recorded(lambda c: 0.9 if c == 0 else 0.4)
    with pytest.raises(RuntimeError, match=r"none of 5 strengths from 8 down to 0\.5 is within "
                                           r"0\.1 of fine-tuning's accuracy 0\.9; the best "
                                           r"reaches 0\.4.*copies of the same network"):
        search_strength(train_one, start=8.0, tries=5)
    assert len(calls) == 6


@pytest.mark.parametrize(("settings", "words"), [
    ({"start": 0.0}, r"start .* got 0\.0"), ({"start": -1.0}, "start"),
    ({"start": math.inf}, "start"), ({"start": math.nan}, "start"),
    ({"margin": 1.0}, r"margin .* got 1\.0: it is a share"),
    ({"margin": 2}, "margin"), ({"margin": -0.1}, "margin"), ({"factor": 1.0}, "factor"),
    ({"factor": 0.0}, "factor"), ({"factor": 2.0}, "factor"), ({"tries": 0}, "tries")])
def test_a_setting_out_of_range_is_refused_before_anything_is_trained(settings, words):
    train_one, calls = recorded(monotone)
    with pytest.raises(ValueError, match=words):
        search_strength(train_one, **{"start": 1.0} | settings)
    assert calls == []


@pytest.mark.parametrize("accuracy", [math.nan, 97.3, -0.1])
def test_what_is_no_accuracy_is_refused(accuracy):
    with pytest.raises(ValueError, match=r"train_one\(0\) returned .*from 0 to 1"):
        search_strength(lambda c: accuracy, start=1.0)


def test_fine_tuning_that_overflows_is_not_hidden():
    def train_one(strength):
        raise FloatingPointError("the training loss has become nan")

    with pytest.raises(FloatingPointError, match="has become nan"):
        search_strength(train_one, start=1.0)
