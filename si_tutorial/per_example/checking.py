"""Whether a batch may stand for its examples: comparisons with each example alone, by autograd."""

from collections.abc import Callable
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from si_tutorial.per_example.batches import examples, rows
from si_tutorial.per_example.contracting import by_parameter, sum_of_sizes
from si_tutorial.per_example.mapping import Grads, Mapping, gradients
from si_tutorial.per_example.recording import Call, Record, Recorder


class Checker:
    """Says which parameters may be contracted, and refuses what is random or mixes examples."""

    def __init__(self, recorder: Recorder, mapping: Mapping):
        self._recorder, self._mapping = recorder, mapping
        self._agreed: set[nn.Parameter] = set()    # contraction was right, and not zero
        self._differed: set[nn.Parameter] = set()  # it was wrong once
        self._compared = False
        self._repeated = 0  # how often an example was run once more

    def contracted(self, record: Record) -> set[nn.Parameter]:
        """The parameters of which contraction may be used in this batch.

        They are used inside their layers only, their layers have the batch first, and they have
        agreed with autograd. Zero against zero is no agreement. In a batch of one there is nothing
        to contract; all that can be wrong there is that the logits are random.
        """
        batch = examples(record.x)
        if batch > 1 or self._repeated < 4:  # two draws of a random network may be equal
            alone = self._on_some(self._recorder.logits, record.x, batch - 1, batch)
            self.compare_logits(record, alone.detach(), batch - 1)
            self._repeated += 1
        if batch == 1:
            return set()
        possible = self._possible(record)
        if not self._compared or not possible <= self._agreed:
            self._compare_gradients(record.x)
            self._compared = True
        return (possible & self._agreed) - self._differed

    def compare_logits(self, record: Record, alone: Tensor, start: int) -> None:
        """Refuse a batch in which examples, from `start` on, have other logits than alone."""
        within = record.logits[start:start + len(alone)].detach()
        if _differ(alone, within, _coarse(record)):
            self._refuse(record, start)

    def _possible(self, record: Record) -> set[nn.Parameter]:
        batch = examples(record.x)
        misfits = {p for call in record.calls if not call.batch_first(batch)
                   for p in call.layer.parameters(recurse=False)}
        plain = record.reached & self._recorder.plain
        return plain - record.outside - misfits - self._differed

    def _compare_gradients(self, x: Any) -> None:
        """Compare contraction, `torch.func` and a batch of two with autograd for each alone."""
        record = self._on_some(self._recorder.run, x, 0, 2)
        x = record.x
        pull = torch.linspace(1, 2, record.logits.numel()).to(record.logits)
        pull = pull.view_as(record.logits)
        possible = self._possible(record)
        left = record.reached - possible if self._mapping.batched else set()
        mapped = self._mapping.each(x, pull, left)[0] if left else {}
        mixed = []  # one example alone may differ where rounding decides over a branch
        for n in range(2):
            logits = self._on_some(self._recorder.logits, x, n, n + 1)
            self.compare_logits(record, logits.detach(), n)
            alone = gradients(logits, record.reached, pull[n:n + 1])
            within = gradients(record.logits[n:n + 1], record.reached, pull[n:n + 1])
            largest = max(float(g.abs().max()) for g in alone.values())
            noise = 8 * _eps(record) * largest
            mixed.append(any(_differ(within[p], g, _coarse(record), max(noise, 1e-3 * largest))
                             for p, g in alone.items()))
            calls = record.with_grads(pull * F.one_hot(torch.tensor(n), 2).to(pull)[:, None])
            self._judge(possible, calls, n, alone, _sharp(record), noise)
            if any(_differ(g[n], alone[p], _sharp(record), noise) for p, g in mapped.items()):
                self._mapping.batched = False
        if all(mixed):
            self._refuse(record, 0)

    def _judge(self, possible: set[nn.Parameter], calls: list[Call], n: int, alone: Grads,
               tolerance: float, noise: float) -> None:
        """Sort the parameters, given the calls' gradients with respect to example n alone."""
        calls = [call for call in calls if call.batch_first(2)]
        elsewhere = [call for call in calls if call.grads[1 - n].any()]  # n is in another row there
        self._differed |= possible & by_parameter(elsewhere).keys()
        held = by_parameter([call.rows(n, n + 1) for call in calls])
        for p in possible:
            found = sum_of_sizes(p, held[p], lambda t: t)
            if _differ(found, alone[p], tolerance, noise):
                self._differed.add(p)
            elif alone[p].any() and not _differ(found, alone[p], tolerance):
                self._agreed.add(p)

    @staticmethod
    def _on_some(run: Callable, x: Any, start: int, stop: int) -> Any:
        """`run` on a part of a batch."""
        try:
            return run(rows(x, start, stop))
        except Exception as why:
            why.add_note(f"This is forward(x) on {stop - start} of {examples(x)} examples. It must "
                         "serve a part of a batch too, down to one, and give each example what it "
                         "gives it among others")
            raise

    def _refuse(self, record: Record, n: int) -> NoReturn:
        one = rows(record.x, n, n + 1)
        first = self._recorder.logits(one).detach()
        for _ in range(8):
            if _differ(self._recorder.logits(one).detach(), first, _coarse(record)):
                raise ValueError(
                    "forward(x) is random: the same example gets other logits each time. Switch "
                    "off what stays random in evaluation mode, such as F.dropout without "
                    "training=self.training")
        raise ValueError(
            "forward(x) mixes the examples of a batch: an example has other logits, or other "
            "gradients, in a batch than alone (a mean over the batch, for instance, or "
            "F.batch_norm with training=True). Each example's own gradient is wanted: compute "
            "each alone, or, if an example alone in its batch is what is meant, give batches of "
            "one, task.batches(1)")


def _eps(record: Record) -> float:
    """Of the coarsest numbers that the logits are known to have come through."""
    dtype = torch.bfloat16 if record.rounded else record.logits.dtype
    return torch.finfo(dtype).eps


def _coarse(record: Record) -> float:
    """What a batch of another size may change by rounding, relative to the largest entry."""
    return max(0.02, 4 * _eps(record) ** 0.5)


def _sharp(record: Record) -> float:
    """What another order of summation may change, relative to the largest entry."""
    return min(0.1, 30 * _eps(record) ** 0.5)


def _differ(found: Tensor, expected: Tensor, tolerance: float, noise: float = 0.0) -> bool:
    """NaN differs from nothing: it is left for the result, where it is seen."""
    allowed = max(tolerance * float(expected.abs().max()), noise)
    return bool((found - expected).abs().max() > allowed)
