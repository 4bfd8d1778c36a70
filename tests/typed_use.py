"""The public interface as a type checker sees it from outside: `make types`. Not run."""

from typing import assert_type

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from si_tutorial import datasets, fisher, metrics, networks, tasks, training
from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    QuadraticPenalty,
    SynapticIntelligence,
    UniformImportance,
)
from si_tutorial.importance.changes import Changes
from si_tutorial.search import search_strength

sequence = tasks.split_classes(datasets.load("mnist"))
network = networks.mlp([2] * 5)
assert_type(network, networks.MultiHeadNetwork)
optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

si = SynapticIntelligence(network, strength=1.0, damping=1e-3).attach(optimizer)
assert_type(si, SynapticIntelligence)  # and not its base, nor Any
assert_type(si.importance, dict[str, Tensor])
assert_type(si.path_integral, dict[str, Tensor])
assert_type(si.penalty(), Tensor)
assert_type(si.optimizer, torch.optim.Optimizer | None)
for task in sequence:
    assert_type(task, tasks.Task)
    for x, y in task.batches(64):
        loss = F.cross_entropy(network(x, task), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert_type(si.consolidate(), SynapticIntelligence)
assert_type(si.load_state_dict(si.state_dict()), None)
assert_type(si.detach(), SynapticIntelligence)

batches = sequence[0].batches(64)
ewc = ElasticWeightConsolidation(network, anchors="latest", decay=0.9, labels="true")
assert_type(ewc.consolidate(batches, forward=lambda x: network(x, sequence[0])),
            ElasticWeightConsolidation)
mas = MemoryAwareSynapses(network, protect=["body"])
assert_type(mas.consolidate(batches), MemoryAwareSynapses)
assert_type(mas.sync_parameters(fresh=["heads.1"]), Changes)
SynapticIntelligence(network, protect=lambda name, parameter: parameter.ndim > 1)
assert_type(search_strength(lambda strength: 0.9, start=100.0).strength, float)
assert_type(UniformImportance(network).consolidate(), UniformImportance)
assert_type(fisher.fisher_information(network, batches), dict[str, Tensor])
history = training.train(network, sequence, optimizer, epochs=1, batch_size=64, measure=si)
several: list[QuadraticPenalty] = [si, ewc]  # the loop takes one measure or several
training.train(network, sequence, optimizer, epochs=1, batch_size=64, measure=several)
assert_type(history, training.History)
assert_type(metrics.average_accuracy(history.accuracy), float)
assert_type(training.evaluate(network, sequence), np.ndarray)

SynapticIntelligence(network, clip="sometimes")  # type: ignore[arg-type]
SynapticIntelligence(network, strength="strong")  # type: ignore[arg-type]
SynapticIntelligence(network, protect=3)  # type: ignore[arg-type]
ewc.consolidate()  # type: ignore[call-arg]
training.train(network, sequence, optimizer, epochs=1, batch_size=64,
               measure="SI")  # type: ignore[arg-type]
