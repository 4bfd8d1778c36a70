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
                   metrics.forgetting):
        with pytest.raises(ValueError, match=r"got shape \("):
            metric(bad)


def test_forward_transfer_refuses_a_start_for_another_number_of_tasks():
    with pytest.raises(ValueError, match=r"\(3,\), got \(2,\)"):
        metrics.forward_transfer(ACCURACY, [0.1, 0.2])
