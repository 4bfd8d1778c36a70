"""What a run tells beside its accuracy: noted at the end of each task, kept where it goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from si_tutorial import checkpoints, training
from si_tutorial.experiments.settings import Run
from si_tutorial.importance import QuadraticPenalty
from si_tutorial.tasks import Task

NOTHING = {"correlation": None, "spread": None, "curve": None, "training_accuracy": None}


class Notes:
    """Notes of a run, one file for each task beside its checkpoint."""

    def __init__(self, run: Run, folder: Path):
        self._run, self._folder = run, folder

    def keep(self, task: Task, network: nn.Module, penalty: QuadraticPenalty | None) -> None:
        """Note what will not be there any more when the task's measure is consolidated."""
        content: dict = {}
        if self._run.correlate:
            content["omega"] = {name: omega.clone() for name, omega in penalty.path_integral.items()
                                if name.startswith("body") and name.endswith("weight")}
        if self._run.curves:
            trained_on = replace(task, x_test=task.x_train, y_test=task.y_train)
            content["training_accuracy"] = float(training.evaluate(network, [trained_on])[0])
        if content:
            checkpoints.save(self._file(task.index), content)

    def results(self, tasks: int, curves: np.ndarray, penalty: QuadraticPenalty | None
                ) -> dict | None:
        """What a line of a store tells of them; None if a file was damaged or is not there.

        "correlation": layer → Pearson correlation of ω between tasks over the layer's weights,
        `(T, T)`; None where a task has the same ω everywhere, such as zero after a single step
        from zero heads. "spread": layer → "path_integral", Σω of each task `(T,)`, "importance",
        ΣΩ at the end, and "units", ΣΩ of the weights into each of its units. "curve": `(T,
        epochs)`, test accuracy on the task in training. "training_accuracy": `(T,)`, on the
        images that were trained on, with the task just learned.
        """
        found = dict(NOTHING)
        if self._run.curves:
            each = (curves.T if self._run.method.name == "joint" else
                    curves.reshape(-1, self._run.training.epochs))
            found["curve"] = each.round(6).tolist()
        if not (self._run.correlate or self._run.curves) or self._run.method.name == "joint":
            return found
        kept = [checkpoints.load(self._file(task)) for task in range(tasks)]
        if None in kept:
            return None
        if self._run.curves:
            found["training_accuracy"] = [round(note["training_accuracy"], 6) for note in kept]
        if self._run.correlate:
            layers = {f"layer {i}": name for i, name in enumerate(kept[0]["omega"], start=1)}
            omegas = {layer: torch.stack([note["omega"][name].flatten().cpu() for note in kept])
                      for layer, name in layers.items()}  # (T, weights)
            found["correlation"] = {layer: _correlation(omega) for layer, omega in omegas.items()}
            found["spread"] = {layer: _spread(omega, penalty.importance[layers[layer]])
                               for layer, omega in omegas.items()}
        return found

    def _file(self, task: int) -> Path:
        return self._folder / f"{self._run.key}.task{task}.pt"


def _correlation(omega: torch.Tensor) -> list[list[float | None]]:
    with np.errstate(invalid="ignore"):
        matrix = np.atleast_2d(np.corrcoef(omega.numpy())).round(6)  # of one task a mere number
    return np.where(np.isnan(matrix), None, matrix).tolist()


def _spread(omega: torch.Tensor, importance: torch.Tensor) -> dict[str, list[float] | float]:
    def told(values):
        return [float(f"{value:.6g}") for value in values.double().flatten().tolist()]

    return {"path_integral": told(omega.double().sum(1)),
            "importance": told(importance.double().sum())[0],
            "units": told(importance.double().flatten(1).sum(1))}
