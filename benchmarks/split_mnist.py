"""The price of SI in the paper's two experiments on MNIST, beside the bare products and Avalanche.

A step with SI to one without, and both to the step's matrix products alone, in the networks of
split MNIST (784-256-256, batches of 64) and of permuted MNIST (784-2000-2000, batches of 256). Then
a whole task of split MNIST with the training loop of this package, batches gathered and the task's
end included, to its products; and the same task in Avalanche 0.6.0 with its own SI, to ours. That
runs in a virtual environment beside this one, which shares its PyTorch.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import chunks
import torch
import work

from si_tutorial import datasets, networks, tasks, training
from si_tutorial.importance import SynapticIntelligence

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".venv-peers"
PYTHON = PEERS / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
SIZES = {"split MNIST": ((256, 256), 64), "permuted MNIST": ((2000, 2000), 256)}
STEPS = 200  # of the whole task
MLP = "784-256-256"


def steps(tell, turns, chunk):
    for hidden, batch in SIZES.values():
        plain, with_si = (work.step(work.perceptron(hidden), batch, measure)
                          for measure in (None, "SI"))
        products = work.products((784, *hidden, 10), batch)
        setting = {"network": "-".join(map(str, (784, *hidden))), "batch_size": batch}
        for what, one, to, other in (("SI", with_si, "plain", plain),
                                     ("plain", plain, "products", products),
                                     ("SI", with_si, "products", products)):
            tell.ratio("step", what, to, chunks.ratio(one, other, turns=turns, chunk=chunk),
                       **setting)


def first_task():
    """The first task of split MNIST, of so many steps, and hardly any test images."""
    task = tasks.split_classes(datasets.load("mnist"))[0]
    rows = torch.arange(64 * STEPS) % len(task.y_train)
    return replace(task, x_train=task.x_train[rows], y_train=task.y_train[rows],
                   x_test=task.x_test[:64], y_test=task.y_test[:64])


def whole_task(task):
    """A function that trains the task with SI, as the runner does."""
    network = networks.mlp([2] * 5)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    si = SynapticIntelligence(network).attach(optimizer)
    return lambda: training.train(network, [task], optimizer, epochs=1, batch_size=64, measure=si,
                                  progress=False)


def loop(tell, turns, chunk):
    ours = whole_task(first_task())
    products = work.products((784, 256, 256, 2), 64)

    def as_many():
        for _ in range(STEPS):
            products()
    tell.ratio("task", "SI", "products", chunks.ratio(ours, as_many, turns=turns, chunk=chunk),
               network=MLP, batch_size=64, steps=STEPS)


def peers(words):
    if not PYTHON.exists():
        print("installing avalanche-lib 0.6.0 into .venv-peers …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
        site = next(PEERS.glob("**/site-packages"))
        (site / "parent.pth").write_text(str(Path(torch.__file__).parents[1]))  # share our torch
        subprocess.run([PYTHON, "-m", "pip", "install", "-q", "avalanche-lib==0.6.0"], check=True)
    subprocess.run([PYTHON, ROOT / "benchmarks/avalanche_split_mnist.py", *words], check=True,
                   env={**os.environ, "PYTHONPATH": str(ROOT)})


def main():
    tell, args = chunks.begin(__doc__)
    steps(tell, args.turns, args.chunk)
    loop(tell, args.turns, args.chunk)
    peers(sys.argv[1:])


if __name__ == "__main__":
    main()
