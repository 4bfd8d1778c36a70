"""A data set becomes a sequence of tasks: by its classes, or by permuting its pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor

from si_tutorial.datasets import Dataset


@dataclass(frozen=True, eq=False)
class Task:
    """One task of a sequence; usable as its own index, `network(x, task)`.

    Images stay as they are in memory, and become float32 in [0, 1] batch by batch: uint8 is
    divided by 255; floating-point images must lie in [0, 1] already, and mean what they say.
    """

    index: int                   # its place in the sequence, from 0
    name: str                    # in words: "0 or 1"
    x_train: Tensor              # (N, channels, height, width), uint8 or floats in [0, 1]
    y_train: Tensor              # int64 (N,)
    x_test: Tensor
    y_test: Tensor
    classes: tuple[int, ...]     # the labels that occur, as the network's head numbers them
    pixels: Tensor | None = None  # int64 (channels · height · width,), the order they are shown in

    def __post_init__(self):
        for part in ("x_train", "x_test"):
            _check_images(part, getattr(self, part))

    def __index__(self):
        return self.index

    def to(self, device: torch.device | str) -> "Task":
        """The same task with its images and labels on `device`."""
        tensors: dict = {field.name: value.to(device) for field in fields(self)
                   if isinstance(value := getattr(self, field.name), Tensor)}
        return replace(self, **tensors)

    def batches(self, size: int, *, generator: torch.Generator | None = None
                ) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of the training set in random order: images and labels of `size` examples.

        The last batch may be smaller. `generator` fixes the order; without one, PyTorch's
        global generator does.
        """
        order = torch.randperm(len(self.y_train), generator=generator).to(self.x_train.device)
        for rows in order.split(16 * _batch_size(size)):  # one copy for many batches is faster
            x = self._shown(self.x_train.index_select(0, rows))
            yield from zip(x.split(size), self.y_train[rows].split(size), strict=True)

    def test_batches(self, size: int = 2000) -> Iterator[tuple[Tensor, Tensor]]:
        """The test set in its own order, in batches of `size`."""
        for x, y in zip(self.x_test.split(_batch_size(size)), self.y_test.split(size),
                        strict=True):
            yield self._shown(x), y

    def _shown(self, x: Tensor) -> Tensor:
        if self.pixels is not None:
            x = x.flatten(1).index_select(1, self.pixels).view_as(x)
        if x.dtype == torch.uint8:
            return x.to(torch.float32).div_(255)
        return x.to(torch.float32, copy=True)  # whoever writes to a batch must not change the data


def split_classes(data: Dataset, classes: int | Sequence[Sequence[int]] = 2, *,
                  labels: Literal["within_task", "global"] = "within_task") -> list[Task]:
    """Split a data set by its classes: split MNIST with `classes=2` (Z17, section 4.1).

    Parameters
    ----------
    classes : int or sequence of sequences of int
        How many classes each task takes, in the order of the labels (the last task takes what is
        left), or which.
    labels : {"within_task", "global"}
        "within_task" numbers the classes of each task from 0: task-incremental learning with one
        head per task, domain-incremental with one head for all. "global" keeps the data set's
        labels, for one head over all classes: class-incremental learning.

    Raises
    ------
    ValueError
        If a class is named twice or has no images, or if `labels` is something else.
    """
    _check_labels(labels)
    present = data.y_train.unique().tolist()
    groups = ([tuple(chunk.tolist()) for chunk in torch.tensor(present).split(_batch_size(classes))]
              if isinstance(classes, int) else [tuple(group) for group in classes])
    named = [label for group in groups for label in group]
    if len(set(named)) < len(named) or not set(named) <= set(present) or () in groups:
        raise ValueError(f"each class must be named once and occur in {data.name} (it has "
                         f"{present}), got {groups}")
    tasks = []
    for index, group in enumerate(groups):
        x_train, y_train = _rows_of(data.x_train, data.y_train, group, labels)
        x_test, y_test = _rows_of(data.x_test, data.y_test, group, labels)
        tasks.append(Task(index, " or ".join(map(str, group)), x_train, y_train, x_test, y_test,
                          group if labels == "global" else tuple(range(len(group)))))
    return tasks


def permute_pixels(data: Dataset, tasks: int = 10, *,
                   labels: Literal["within_task", "global"] = "within_task", seed: int = 0
                   ) -> list[Task]:
    """Permuted MNIST: each task shows all images with its pixels in a fixed order of its own.

    The first task leaves them in place. All tasks share one copy of the images (Z17, 4.2).
    `labels` "within_task" keeps the digits as they are, for one head per task or one for all;
    "global" makes them other classes in each task, numbered on: class-incremental learning.
    """
    if tasks < 1:
        raise ValueError(f"tasks must be at least 1, got {tasks}")
    _check_labels(labels)
    generator = torch.Generator().manual_seed(seed)
    count = data.x_train[0].numel()
    orders = [None] + [torch.randperm(count, generator=generator) for _ in range(1, tasks)]
    classes = data.y_train.unique()
    step = int(classes.max()) + 1 if labels == "global" else 0
    return [Task(index, "pixels in place" if order is None else f"permutation {index}",
                 data.x_train, data.y_train + index * step, data.x_test, data.y_test + index * step,
                 tuple((classes + index * step).tolist()), order)
            for index, order in enumerate(orders)]


def _rows_of(x: Tensor, y: Tensor, group: tuple[int, ...], labels: str) -> tuple[Tensor, Tensor]:
    kept = torch.isin(y, torch.tensor(group))
    y = y[kept]
    if labels == "within_task":
        place = torch.zeros(max(group) + 1, dtype=torch.long)
        place[list(group)] = torch.arange(len(group))
        y = place[y]
    return x if kept.all() else x[kept], y


def _check_images(part: str, x: Tensor):
    if x.dtype == torch.uint8:
        return
    if not x.is_floating_point():
        raise TypeError(f"{part} is {x.dtype}: images must be uint8, from 0 to 255, or floating-"
                        "point numbers from 0 to 1")
    if x.numel() and not x.is_meta and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"{part} is {x.dtype} with values from {x.min():.4g} to {x.max():.4g}: "
                         "floating-point images must lie between 0 and 1. Hand over bytes as "
                         "x.to(torch.uint8) or x / 255; center images inside the network")


def _check_labels(labels: str):
    if labels not in ("within_task", "global"):
        raise ValueError(f"labels must be 'within_task' or 'global', got {labels!r}")


def _batch_size(size: int) -> int:
    if size < 1:
        raise ValueError(f"a size must be at least 1, got {size}")
    return size
