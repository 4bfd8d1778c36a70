import math

import numpy as np
import pytest

from si_tutorial import metrics

ACCURACY = [[0.9, 0.4, 0.5],   # worked out by hand below; task 0 is best after task 1
            [0.95, 0.8, 0.6],
            [0.7, 0.5, 1.0]]


def test_average_accuracy_is_the_mean_of_the_last_row():
    assert metrics.average_accuracy(ACCURACY) == pytest.approx(2.2 / 3)


def test_seen_accuracy_averages_only_the_tasks_trained_so_far():
    assert metrics.seen_accuracy(ACCURACY) == pytest.approx([0.9, 1.75 / 2, 2.2 / 3])


def test_backward_transfer_compares_the_end_with_the_moment_of_learning():
    assert metrics.backward_transfer(ACCURACY) == pytest.approx(((0.7 - 0.9) + (0.5 - 0.8)) / 2)


def test_forward_transfer_compares_just_before_training_with_the_start():
    at_start = [0.3, 0.45, 0.5]
    expected = ((0.4 - 0.45) + (0.6 - 0.5)) / 2
    assert metrics.forward_transfer(ACCURACY, at_start) == pytest.approx(expected)


def test_forgetting_is_the_fall_from_the_best_accuracy_so_far():
    assert metrics.forgetting(ACCURACY) == pytest.approx(((0.95 - 0.7) + (0.8 - 0.5)) / 2)


def test_forgetting_is_minus_backward_transfer_where_the_first_accuracy_was_the_best():
    accuracy = np.tril(np.linspace(1, 0.2, 25).reshape(5, 5))
    assert metrics.forgetting(accuracy) == pytest.approx(-metrics.backward_transfer(accuracy))


def test_one_task_has_an_accuracy_but_no_transfer():
    assert metrics.average_accuracy([[0.8]]) == 0.8
    assert metrics.seen_accuracy([[0.8]]).tolist() == [0.8]
    for metric in (metrics.backward_transfer, metrics.forgetting,
                   lambda a: metrics.forward_transfer(a, [0.5])):
        with pytest.raises(ValueError, match="at least two tasks"):
            metric([[0.8]])


@pytest.mark.parametrize("bad", [[0.5, 0.6], [[0.5, 0.6]], np.zeros((0, 0)), 0.5])
def test_what_is_no_square_matrix_is_refused_with_its_shape(bad):
    for metric in (metrics.average_accuracy, metrics.seen_accuracy, metrics.backward_transfer,
                   metrics.forgetting, metrics.retention, lambda a: metrics.transfer(ACCURACY, a),
                   lambda a: metrics.protection_cost(a, ACCURACY)):
        with pytest.raises(ValueError, match=r"got shape \("):
            metric(bad)


ALONE = [[0.9, 0.1, 0.1], [0.9, 0.6, 0.1], [0.9, 0.6, 0.7]]
HELD = [[0.9, 0.4, 0.5], [0.9, 0.75, 0.6], [0.8, 0.7, 0.9]]


def test_the_first_task_counts_in_none_of_the_three_parts():
    assert metrics.transfer(ACCURACY, ALONE) == pytest.approx(((0.8 - 0.6) + (1.0 - 0.7)) / 2)
    assert metrics.protection_cost(HELD, ACCURACY) == pytest.approx(
        ((0.8 - 0.75) + (1.0 - 0.9)) / 2)
    assert metrics.retention(HELD) == pytest.approx(((0.7 - 0.75) + 0) / 2)
    for place in ((0, 0), (1, 0), (2, 0)):   # the first column
        changed = np.array(ACCURACY)
        changed[place] = 0.2
        assert metrics.transfer(changed, ALONE) == metrics.transfer(ACCURACY, ALONE)
        assert metrics.retention(changed) == metrics.retention(ACCURACY)


def test_runs_on_other_tasks_are_not_compared():
    for metric in (metrics.transfer, metrics.protection_cost):
        with pytest.raises(ValueError, match=r"\(3, 3\) and \(2, 2\)"):
            metric(ACCURACY, np.eye(2))
        with pytest.raises(ValueError, match="at least two tasks"):
            metric([[0.8]], [[0.8]])


def test_forward_transfer_refuses_a_start_for_another_number_of_tasks():
    with pytest.raises(ValueError, match=r"\(3,\), got \(2,\)"):
        metrics.forward_transfer(ACCURACY, [0.1, 0.2])


# ------------------------------------------------------------------------------------ intervals

INTERVALS = pytest.mark.parametrize("interval", [metrics.confidence_interval,
                                                 metrics.prediction_interval])


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_of_two_values_the_intervals_are_worked_out_by_hand(level):
    """One degree of freedom: t is Cauchy's, with the quantile tan(π level / 2); s = √2."""
    t = math.tan(math.pi * level / 2)
    assert metrics.confidence_interval([0.0, 2.0], level) == pytest.approx((1 - t, 1 + t))
    width = t * math.sqrt(2) * math.sqrt(1 + 1 / 2)
    assert metrics.prediction_interval([0.0, 2.0], level) == pytest.approx((1 - width, 1 + width))


@pytest.mark.parametrize("n", [2, 3, 10])
def test_a_prediction_is_wider_than_a_mean_by_the_root_of_n_plus_one(n):
    values = np.random.default_rng(n).normal(size=n)
    (a, b), (c, d) = metrics.confidence_interval(values), metrics.prediction_interval(values)
    assert (d - c) / (b - a) == pytest.approx(math.sqrt(n + 1))
    assert (a + b) / 2 == pytest.approx((c + d) / 2) == pytest.approx(values.mean())


def test_groups_that_are_alike_lend_their_spread_and_not_their_mean():
    values, other = [0.0, 2.0], [101.0, 103.0, 105.0]  # sums of squares 2 and 8, three degrees
    low, high = metrics.prediction_interval(values, 0.9, alike=[other, [7.0]])
    half = 2.353 * math.sqrt(10 / 3) * math.sqrt(1 + 1 / 2)  # the 95 % quantile of Student's t
    assert (low, high) == pytest.approx((1 - half, 1 + half), rel=1e-3)
    assert metrics.prediction_interval([0.5], alike=[values])[0] < 0.5


def test_the_intervals_hold_what_they_promise():
    """4000 times five values of a normal distribution; four standard errors of the share."""
    level = 0.95
    draws = np.random.default_rng(0).normal(3.0, 2.0, (4000, 6))
    means = [a <= 3.0 <= b for a, b in (metrics.confidence_interval(row[:5], level)
                                        for row in draws)]
    news = [a <= row[5] <= b for row in draws
            for a, b in [metrics.prediction_interval(row[:5], level)]]
    error = math.sqrt(level * (1 - level) / 4000)
    assert np.mean(means) == pytest.approx(level, abs=4 * error)
    assert np.mean(news) == pytest.approx(level, abs=4 * error)


@INTERVALS
def test_equal_values_have_an_interval_of_no_width(interval):
    assert interval([0.25] * 3) == (0.25, 0.25)


@INTERVALS
def test_an_interval_moves_and_stretches_with_its_values(interval):
    low, high = interval([1.0, 2.0, 4.0])
    assert interval([30.0, 50.0, 90.0]) == pytest.approx((10 + 20 * low, 10 + 20 * high))


@INTERVALS
@pytest.mark.parametrize(("values", "level", "message"), [
    ([0.5], 0.95, r"at least two values, got shape \(1,\)"),
    ([], 0.95, r"at least two values, got shape \(0,\)"),
    ([[0.5, 0.6], [0.7, 0.8]], 0.95, r"got shape \(2, 2\)"), (0.5, 0.95, r"got shape \(\)"),
    ([0.5, 0.6], 0.0, "between 0 and 1, got 0.0"), ([0.5, 0.6], 1.0, "between 0 and 1, got 1.0"),
    ([0.5, 0.6], 95, "between 0 and 1, got 95")])
def test_an_interval_of_nothing_is_refused(interval, values, level, message):
    with pytest.raises(ValueError, match=message):
        interval(values, level)


def test_differences_are_paired_ranked_and_read_alone_or_together():
    values = {"A": [0.5, 0.7, 0.9], "B": [0.4, 0.7, 0.7], "C": [0.2, 0.1, 0.3]}
    found = metrics.differences(values)
    assert list(found) == ["A − C", "B − C", "A − B"]
    gap = np.subtract(values["A"], values["C"])
    assert found["A − C"].mean == pytest.approx(gap.mean())
    assert found["A − C"].alone == pytest.approx(metrics.confidence_interval(gap))
    assert found["A − C"].together == pytest.approx(
        metrics.confidence_interval(gap, level=1 - 0.05 / 3))


def test_against_one_method_there_are_fewer_differences_and_none_is_widened_for_the_rest():
    values = {"A": [0.5, 0.7, 0.9], "B": [0.4, 0.7, 0.7], "C": [0.2, 0.1, 0.3]}
    every, found = metrics.differences(values), metrics.differences(values, against="B")
    assert list(found) == ["A − B", "C − B"] and found["C − B"].mean < 0
    assert found["A − B"].alone == every["A − B"].alone
    gap = np.subtract(values["A"], values["B"])
    assert found["A − B"].together == pytest.approx(
        metrics.confidence_interval(gap, level=1 - 0.05 / 2))


def test_differences_of_runs_that_are_not_paired_are_refused():
    with pytest.raises(ValueError, match=r"same seeds for each method, got \{'A': 2, 'B': 3\}"):
        metrics.differences({"A": [0.1, 0.2], "B": [0.1, 0.2, 0.3]})


def test_intervals_that_are_read_together_miss_a_zero_in_one_family_out_of_twenty():
    rng = np.random.default_rng(0)
    alone = together = 0
    for _ in range(1000):   # four methods that do not differ
        values = {name: rng.normal(size=8) for name in "ABCD"}
        found = metrics.differences(values).values()
        alone += any(low > 0 for low, _ in (one.alone for one in found))
        together += any(low > 0 for low, _ in (one.together for one in found))
    assert together <= 50 + 4 * 50**0.5 and alone > 120


def test_a_pooled_spread_is_around_each_groups_own_mean():
    assert metrics.pooled_spread([[1.0, 3.0], [10.0, 10.0, 13.0]]) == (
        pytest.approx(((1 + 1 + 1 + 1 + 4) / 3) ** 0.5), 3)
    spread, degrees = metrics.pooled_spread([[1.0], [5.0]])
    assert np.isnan(spread) and degrees == 0
