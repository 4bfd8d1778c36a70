"""How near `search_strength` comes to the best strength, on tasks that the book does not use.

    python benchmarks/search_strength.py [--seeds 3] [--from 0] [--only "mnist turned"] [--batch 10]
                                         [--held-out 500]

Three tasks, 600 images each, learned one after another by 48-48 units. The search chooses a
strength for the second task, and again for the third: by 500 held-out images of it (300 of the
small digits) alone, and by as many of each task so far. Each strength of a grid, powers of two from
128 to 1/64, is held through both. Shown is the mean test accuracy on all tasks so far. The best of
the grid is the best for the mean over the seeds, in hindsight. All strengths train side by side as
one stacked network, which makes the same steps as `SynapticIntelligence` with each.
"""

import argparse
import math
import warnings
from typing import NamedTuple

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

from si_tutorial import datasets
from si_tutorial.search import search_strength

START = 128.0
STRENGTHS = [0.0, 0.1, *(START * 2.0**-k for k in range(14))]
RATE, EPOCHS = {10: 1e-3, 640: 5e-3}, {10: 5, 640: 40}
LAYERS = ("1", "3")


class Stack(NamedTuple):
    """As many networks as the first axis of each tensor, and what SI keeps of them."""

    params: dict[str, Tensor]
    importance: dict[str, Tensor]
    anchor: dict[str, Tensor]

    def repeated(self, row: int) -> "Stack":
        return Stack(*({name: t[row:row + 1].repeat(len(STRENGTHS), *[1] * (t.dim() - 1))
                        for name, t in part.items()} for part in self))


# --------------------------------------------------------------------------------------- the tasks

def mnist():
    data = datasets.load("mnist")
    return *(F.avg_pool2d(x.float() / 255, 2) for x in (data.x_train, data.x_test)), \
        data.y_train, data.y_test


def small_digits():
    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(found.images, dtype=torch.float32)[order, None] / 16
    y = torch.tensor(found.target)[order]
    return x[:1200], x[1200:], y[:1200], y[1200:]


def cifar100():
    data = datasets.load("cifar100")
    late = data.y_train >= 70, data.y_test >= 70
    return *(F.avg_pool2d(x[rows].float() / 255 - 0.5, 4)
             for x, rows in zip((data.x_train, data.x_test), late, strict=True)), \
        data.y_train[late[0]] - 70, data.y_test[late[1]] - 70


def groups(data, of_classes):
    """A head for each group of classes."""
    def part(x, y, classes):
        rows = torch.isin(y, torch.tensor(classes))
        return x[rows], torch.tensor([classes.index(int(label)) for label in y[rows]])
    return [(*part(*data[::2], some), *part(*data[1::2], some)) for some in of_classes]


def views(data, of_images):
    """All classes each time, seen in another way."""
    x, x_test, y, y_test = data
    return [(view(x), y, view(x_test), y_test) for view in of_images]


def turned(degrees):
    turn = math.radians(degrees)
    matrix = torch.tensor([[math.cos(turn), -math.sin(turn), 0.0],
                           [math.sin(turn), math.cos(turn), 0.0]])
    return lambda x: torch.cat([F.grid_sample(
        some, F.affine_grid(matrix.expand(len(some), 2, 3), some.shape, align_corners=False),
        align_corners=False) for some in x.split(5000)])


def permuted(seed):
    order = torch.randperm(64, generator=torch.Generator().manual_seed(seed))
    return lambda x: x.flatten(1)[:, order].view_as(x)


def same(x):
    return x


TRIALS = {
    "cifar100 by threes": lambda: groups(cifar100(), [[*range(i, 30, 3)] for i in range(3)]),
    "digits groups": lambda: groups(small_digits(), [(9, 7, 5), (1, 3, 8), (0, 2, 4, 6)]),
    "digits permuted": lambda: views(small_digits(), [same, permuted(1), permuted(2)]),
    "mnist groups": lambda: groups(mnist(), [(7, 1, 5, 2), (0, 3, 4), (6, 8, 9)]),
    "mnist mirrored": lambda: views(mnist(), [same, lambda x: 1 - x.flip(3),
                                              lambda x: x.transpose(2, 3)]),
    "mnist turned": lambda: views(mnist(), [same, turned(35), turned(70)])}


def parts(task, place, seed, held_out):
    x, y, x_test, y_test = task
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(100 * seed + place))
    train = min(600, int(len(y) * 0.75))
    held = order[train:train + held_out]
    return {"train": (x[order[:train]], y[order[:train]]), "held out": (x[held], y[held]),
            "test": (x_test[:2000], y_test[:2000])}


# ------------------------------------------------------------------------------------- the training

def forward(params, x, head):
    """Logits (strengths, batch, classes)."""
    hidden = x.flatten(1).expand(len(params["body.1.bias"]), -1, -1)
    for layer in (*(f"body.{i}" for i in LAYERS), f"heads.{head}"):
        weight, bias = params[f"{layer}.weight"], params[f"{layer}.bias"]
        hidden = torch.baddbmm(bias[:, None], hidden if "body.1" in layer else hidden.relu(),
                               weight.transpose(1, 2))
    return hidden


def first_weights(size, heads, classes, seed):
    torch.manual_seed(seed)
    network = nn.ModuleDict({
        "body": nn.Sequential(nn.Flatten(), nn.Linear(size, 48), nn.ReLU(), nn.Linear(48, 48)),
        "heads": nn.ModuleList(nn.Linear(48, classes) for _ in range(heads))})
    params = {name: p.detach()[None] for name, p in network.named_parameters()}
    return Stack(params, {name: torch.zeros_like(p) for name, p in params.items()}, params)


def learned(stack, task, head, batch, seed, strengths):
    """The task learned at each strength, and consolidated."""
    params = {name: p.clone().requires_grad_() for name, p in stack.params.items()}
    optimizer = torch.optim.Adam(params.values(), lr=RATE[batch], fused=True)
    c = torch.tensor(strengths)
    pull = {name: 2 * c.view(-1, *[1] * (omega.dim() - 1)) * omega
            for name, omega in stack.importance.items()}
    omega = {name: torch.zeros_like(p) for name, p in params.items()}
    x, y = task
    generator = torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS[batch]):
        for rows in torch.randperm(len(y), generator=generator).split(batch):
            logits = forward(params, x[rows], head).flatten(0, 1)
            loss = F.cross_entropy(logits, y[rows].repeat(len(c)), reduction="sum") / len(rows)
            optimizer.zero_grad()
            loss.backward()
            with torch.no_grad():
                before = {name: p.clone() for name, p in params.items() if p.grad is not None}
                grads = {name: params[name].grad for name in before}
                for name in before:
                    params[name].grad = torch.addcmul(
                        grads[name], pull[name], params[name] - stack.anchor[name])
                optimizer.step()
                for name, p in before.items():
                    omega[name].addcmul_(grads[name], p - params[name])
    done = {name: p.detach() for name, p in params.items()}
    importance = {name: (stack.importance[name] + omega[name] / (
        (p - stack.anchor[name])**2 + 1e-3)).clamp(min=0) for name, p in done.items()}
    return Stack(done, importance, done)


def accuracy(params, part, head):
    x, y = part
    return (forward(params, x, head).argmax(2) == y).float().mean(1)


def found_in(held, old_tasks):
    """The row of the strength that the search takes.

    `held` holds the accuracies of all rows: (rows,) on the new task, or (rows, tasks), it first.
    """
    known = dict(zip(STRENGTHS, held.tolist(), strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # 128 may be too weak a start
        return STRENGTHS.index(search_strength(known.__getitem__, start=START, tries=14,
                                               old_tasks=old_tasks).strength)


def trial(name, batch, seed, held_out):
    """(ways, 2): mean test accuracies after two and three tasks, and the strengths found.

    The ways are each strength of the grid, and the search that sees the new task and all tasks.
    """
    tasks = [parts(task, place, seed, held_out) for place, task in enumerate(TRIALS[name]())]
    heads = [0, 1, 2] if "groups" in name or "cifar" in name else [0, 0, 0]
    classes = 1 + max(int(task["train"][1].max()) for task in tasks)
    size = tasks[0]["train"][0][0].numel()

    def seen(stack, count, part):
        """(rows, tasks), the latest first."""
        return torch.stack([accuracy(stack.params, task[part], head) for task, head in
                            zip(tasks[:count][::-1], heads[:count][::-1], strict=True)], 1)

    def after(stack, place, strengths=STRENGTHS):
        return learned(stack, tasks[place]["train"], heads[place], batch, seed + 1000 * place,
                       strengths)

    one = after(first_weights(size, len(set(heads)), classes, seed), 0, [0.0])
    two = after(one.repeated(0), 1)
    after_two = seen(two, 2, "test").mean(1)
    means = [torch.stack([after_two, seen(after(two, 2), 3, "test").mean(1)], 1)]
    strengths = []
    for looks in (1, 3):  # at how many tasks, at most
        row = found_in(seen(two, 2, "held out")[:, :looks].squeeze(1), 1)
        then = after(two.repeated(row), 2)
        last = found_in(seen(then, 3, "held out")[:, :looks].squeeze(1), 2)
        means.append(torch.stack([after_two[row], seen(then, 3, "test").mean(1)[last]])[None])
        strengths.append((STRENGTHS[row], STRENGTHS[last]))
    return torch.cat(means), strengths


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    options.add_argument("--only", choices=TRIALS, default=None)
    options.add_argument("--batch", type=int, choices=RATE, default=None)
    options.add_argument("--held-out", type=int, default=500, help="images of each task")
    options = options.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print("in %: best of the grid (its c); found by the new task, by all tasks; c = 0.1; "
          "then the strengths found, in both ways")
    for name in [options.only] if options.only else TRIALS:
        for batch in [options.batch] if options.batch else RATE:
            means, strengths = zip(*(trial(name, batch, seed, options.held_out) for seed in
                                     range(options.first, options.first + options.seeds)),
                                   strict=True)
            means = 100 * torch.stack(means).mean(0)
            grid, new, every = means[:-2], means[-2], means[-1]
            for i, count in enumerate((2, 3)):
                best = int(grid[:, i].argmax())
                print(f"{name:18}  batch {batch:3}  {count} tasks:  {grid[best, i]:.1f} "
                      f"(c = {STRENGTHS[best]:.3g})  {new[i]:.1f}  {every[i]:.1f}  "
                      f"{grid[1, i]:.1f}  {[s[0][i] for s in strengths]} "
                      f"{[s[1][i] for s in strengths]}", flush=True)


if __name__ == "__main__":
    main()
