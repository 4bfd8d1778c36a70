"""One of two processes that train one network; run by `test_processes.py`.

Arguments: the rank, the file by which they meet, and the file for what this one found.
"""

import sys

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    SynapticIntelligence,
)

MEASURES = {"EWC": ElasticWeightConsolidation, "MAS": MemoryAwareSynapses,
            "SI": SynapticIntelligence}
SHARDS = (slice(0, 6), slice(6, 16))  # of 16 examples


def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)).double()


def data(task):
    generator = torch.Generator().manual_seed(task)
    x = torch.randn(16, 4, generator=generator, dtype=torch.float64)
    return x, torch.randint(3, (16,), generator=generator)


def refused(do):
    try:
        do()
    except RuntimeError as why:
        return str(why)
    return "nothing was refused"


def run(rank, name, given):
    """Two tasks, each process on its shard; the weights and importances after each."""
    net = DistributedDataParallel(build())
    net.module[1].eval()  # one task's statistics in both
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    measure = MEASURES[name](net, strength=1.0).attach(optimizer)
    found = []
    for task in range(2):
        x, y = (t[SHARDS[rank]] for t in data(task))
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
        weights = {n: p.detach().clone() for n, p in net.named_parameters()}
        measure.consolidate([(x[:4], y[:4]), (x[4:], y[4:])],
                            forward=(lambda x: net(x)) if given else None)
        found.append((weights, {n: t.clone() for n, t in measure.importance.items()}))
    return found


def main(rank, meeting, target):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    found = {f"{name} {given}": run(rank, name, given) for name in MEASURES for given in (0, 1)}
    net = build()
    for name in ("EWC", "MAS"):
        found[f"{name} alone"] = refused(lambda name=name: MEASURES[name](net).consolidate(
            [data(0)]))
    si = SynapticIntelligence(net, gradient="independent")
    found["probe"] = refused(lambda: si.probe(net(data(0)[0]).sum()))
    torch.save(found, target)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
