"""The playground: its engine against the package, and everything that is pressed on its page."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from si_tutorial import explorables
from si_tutorial.explorables.explorable import bundle
from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    SynapticIntelligence,
    UniformImportance,
)
from si_tutorial.networks import MultiHeadNetwork, start_weights

FOLDER = Path(explorables.__file__).parent
BUILD = {
    "si": lambda net: SynapticIntelligence(net, strength=1.0, damping=0.1),
    "ewc": lambda net: ElasticWeightConsolidation(net, strength=300.0),
    "mas": lambda net: MemoryAwareSynapses(net, strength=0.1),
    "l2": lambda net: UniformImportance(net, strength=0.01),
}
RUN = """async ([text, given]) => {
  const file = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { learner, step, consolidate, layout } = await import(file);
  const data = ({ x, y, head }) => ({ x: Float64Array.from(x.flat()), y, n: y.length, head,
                                      heads: [head] });
  const one = learner(layout(given.net), Float64Array.from(given.theta), given.method);
  const states = [];
  const note = () => states.push(Object.fromEntries(
    ["theta", "path", "importance", "anchor"].map((name) => [name, Array.from(one[name])])));
  for (const task of given.tasks) {
    for (const batch of task.batches) step(one, data(batch), given);
    note();
    consolidate(one, data(task.all), given);
    note();
  }
  return states;
}"""
MODULE = """export { learner, step, consolidate } from "./measures.js";
export { layout } from "./network.js";
"""  # what the page's worker imports


def flat(network, tensors):
    return torch.cat([tensors[name].detach().flatten() for name, _ in
                      network.named_parameters()]).tolist()


def module(folder):
    """The engine's own files as one text."""
    there = os.path.relpath(FOLDER / "kit", folder)
    (folder / "engine.js").write_text(MODULE.replace('"./', f'"{there}/'), encoding="utf-8")
    return bundle(folder / "engine.js")


def both(browser, folder, method, *, sizes, heads, activation, classes=2):
    """The learner's state after each task, before and after `consolidate`, in JS and by PyTorch."""
    generator = torch.Generator().manual_seed(7)
    layers = [layer for a, b in zip(sizes, sizes[1:], strict=False)
              for layer in (nn.Linear(a, b), nn.Tanh() if activation == "tanh" else nn.ReLU())]
    network = start_weights(MultiHeadNetwork(
        nn.Sequential(*layers), input_shape=(sizes[0],), features=sizes[-1],
        heads=[classes] * heads if heads > 1 else classes), seed=3, weights="torch",
        head_weights="random").double()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    measure = BUILD[method](network).attach(optimizer)
    start, tasks, expected = flat(network, dict(network.named_parameters())), [], []

    def note():
        state = {"theta": dict(network.named_parameters()), "importance": measure.importance,
                 "anchor": measure.anchor}
        if method == "si":
            state["path"] = measure.path_integral
        expected.append({name: flat(network, values) for name, values in state.items()})

    for task in range(2):
        x = torch.rand(90, sizes[0], generator=generator, dtype=torch.float64)
        y = torch.randint(classes, (90,), generator=generator)
        head = task if heads > 1 else 0
        batches = []
        for _ in range(50):
            rows = torch.randint(90, (32,), generator=generator)
            optimizer.zero_grad()
            F.cross_entropy(network(x[rows], task), y[rows]).backward()
            optimizer.step()
            batches.append({"x": x[rows].tolist(), "y": y[rows].tolist(), "head": head})
        note()
        measure.consolidate([(x, y)], forward=lambda x, task=task: network(x, task))
        note()
        optimizer.state.clear()
        tasks.append({"batches": batches, "all": {"x": x.tolist(), "y": y.tolist(), "head": head}})
    page = browser.new_page()
    given = {"net": {"sizes": sizes, "heads": heads, "activation": activation, "classes": classes},
             "theta": start, "tasks": tasks, "method": method, "rate": 0.01, "damping": 0.1,
             "strength": measure.strength}
    got = page.evaluate(RUN, [module(folder), given])
    page.close()
    return got, expected


@pytest.mark.parametrize("shape", [
    {"sizes": [64, 64], "heads": 1, "activation": "tanh"},
    {"sizes": [49, 20, 16], "heads": 3, "activation": "relu"},
    {"sizes": [5, 6], "heads": 1, "activation": "relu", "classes": 4},
], ids=["points", "digits", "four classes"])
@pytest.mark.parametrize("method", BUILD)
def test_a_hundred_steps_over_two_tasks_agree_with_the_package(browser, tmp_path, method, shape):
    got, expected = both(browser, tmp_path, method, **shape)
    for there, here in zip(expected, got, strict=True):
        for name, values in there.items():
            values = np.array(values)
            error = np.abs(values - np.array(here[name])).max()
            assert error <= 1e-9 * np.abs(values).max(), name
    assert np.abs(expected[-1]["importance"]).max() > 0
