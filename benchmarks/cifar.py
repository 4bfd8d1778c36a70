"""A step on CIFAR as in the paper, as ratios in one process: `make bench-cifar`.

Ratios of steps of the paper's network (batches of 256, Adam, one thread) to its bare convolutions
and matrix products, forward and backward, in the same precision and memory order: without SI and
with it, in float32 and in bfloat16. And bfloat16 to float32.
"""

import chunks
import torch
import torch.nn.functional as F
from torch import nn

from si_tutorial.experiments import protocols
from si_tutorial.experiments.runs import measure, network

BATCH = protocols.CIFAR.training.batch_size


def step(run):
    """A function that makes one training step of the run, on random images."""
    net = network(run).train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    if (penalty := measure(run, net)) is not None:
        penalty.attach(optimizer)
        for importance in penalty.importance.values():
            importance.fill_(1e-3)  # as after a task: there is something to protect
    x, y = torch.rand(BATCH, 3, 32, 32), torch.randint(0, 10, (BATCH,))

    def one():
        loss = F.cross_entropy(net(x, 0), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return one


def products(run):
    """A function that does the step's convolutions and matrix products, and nothing else."""
    net = network(run)
    kept, layers = [], [*(m for m in net.body if isinstance(m, nn.Conv2d | nn.Linear)),
                        net.heads[0]]
    for layer in layers:
        layer.register_forward_hook(lambda layer, x, y: kept.append((layer, x[0], y)))
    net(torch.rand(BATCH, 3, 32, 32), 0)
    dtype = getattr(torch, run.training.precision)
    work = []
    for layer, x, y in kept:
        x = x.detach().to(dtype).requires_grad_(layer is not layers[0])  # no gradient for images
        work.append((layer.to(dtype), x, torch.ones_like(y, dtype=dtype)))

    def one():
        for layer, x, gradient in work:
            inputs = [t for t in (x, *layer.parameters()) if t.requires_grad]
            torch.autograd.grad(layer(x), inputs, gradient)
    return one


def main():
    tell, args = chunks.begin(__doc__)
    work = {}
    for precision in ("bfloat16", "float32"):
        run = protocols.CIFAR.replace(precision=precision)
        work[precision, "products"] = products(run)
        work[precision, "plain"] = step(run)
        work[precision, "SI"] = step(protocols.authors(run))
    for one, other in [*(((p, kind), (p, "products")) for p in ("bfloat16", "float32")
                         for kind in ("plain", "SI")),
                       *(((p, "SI"), (p, "plain")) for p in ("bfloat16", "float32")),
                       (("bfloat16", "plain"), ("float32", "plain"))]:
        found = chunks.ratio(work[one], work[other], turns=args.turns, chunk=args.chunk)
        tell.ratio("step", " ".join(one), " ".join(other), found, network="the paper's for CIFAR",
                   batch_size=BATCH)


if __name__ == "__main__":
    main()
