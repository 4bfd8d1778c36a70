"""The equation of the chapter on CIFAR; its definitions are in test_definitions.py."""

import numpy as np
import pytest

from equations.quoting import verifies
from si_tutorial import metrics


@verifies("eq-what-memory-adds", r"""
\begin{aligned}
&\frac{1}{T-1} \sum_{j=2}^{T}
\left( R^{\text{SI}}_{Tj} - R^{\text{alone}}_{jj} \right) \\
&\quad = \mathrm{transfer} - \mathrm{cost} + \mathrm{retention} .
\end{aligned}""")
@pytest.mark.parametrize("seed", range(3))
def test_the_three_parts_add_up_to_the_gain_at_the_end(seed):
    si, plain, alone = np.random.default_rng(seed).random((3, 6, 6))
    T = len(si)
    gain = 1 / (T - 1) * sum(si[T - 1, j] - alone[j, j] for j in range(1, T))
    assert gain == pytest.approx(metrics.transfer(plain, alone)
                                 - metrics.protection_cost(si, plain) + metrics.retention(si))
