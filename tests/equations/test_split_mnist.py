"""The equations of the chapter on split MNIST in numbers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from equations.quoting import verifies
from si_tutorial import metrics


@verifies("eq-output-gradient", r"\frac{\partial L}{\partial z_j} = p_j - [\, j = y \,] .")
@pytest.mark.parametrize("y", range(5))
def test_the_loss_pushes_down_every_output_but_the_right_one(y):
    z = torch.randn(5, generator=torch.Generator().manual_seed(y), dtype=torch.float64)
    z.requires_grad_()
    F.cross_entropy(z, torch.tensor(y)).backward()
    p = z.detach().softmax(0)
    torch.testing.assert_close(z.grad, p - torch.eye(5, dtype=torch.float64)[y])
    assert (z.grad[torch.arange(5) != y] > 0).all()


@verifies("eq-prediction-interval", r"\bar a \,\pm\, t_{n-1}\, s \sqrt{1 + \frac{1}{n}} ,")
@pytest.mark.parametrize("n", [3, 10])
def test_one_new_run_in_twenty_lies_outside(n):
    runs = np.random.default_rng(n).normal(0.98, 0.005, size=(2000, n + 1))
    inside = 0
    for seen, new in zip(runs[:, :n], runs[:, n], strict=True):
        low, high = metrics.prediction_interval(seen)
        half = stats.t.ppf(0.975, n - 1) * seen.std(ddof=1) * (1 + 1 / n) ** 0.5
        assert (low, high) == pytest.approx((seen.mean() - half, seen.mean() + half))
        inside += low <= new <= high
    assert inside / 2000 == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 2000) ** 0.5)
