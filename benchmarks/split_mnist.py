"""Split MNIST as in the paper, timed as ratios in one run: `make bench`.

Ratios of whole runs (5 tasks, batches of 64, 784-256-256, Adam, one seed): with SI to without; to
the bare matrix products of the same number of steps, the limit, also as the runner does it, two
seeds at a time with one thread each; and Avalanche 0.6.0 with its own SI plugin, in a virtual
environment beside this one, to ours.

All are timed in turn, and each ratio is taken round by round, so that a busy machine slows both.
What SI adds are passes over memory, so its ratio depends on the share of the last cache that the
machine leaves: with SI a step goes through 10 MB, without through 4.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import joblib
import torch

from si_tutorial import datasets, networks, tasks, training
from si_tutorial.experiments import protocols
from si_tutorial.experiments.runs import execute
from si_tutorial.importance import SynapticIntelligence

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".venv-peers"
PYTHON = PEERS / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def run(sequence, epochs, with_si):
    """Seconds of one whole run."""
    start = time.perf_counter()
    network = networks.mlp([2] * 5, seed=0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    si = SynapticIntelligence(network).attach(optimizer) if with_si else None
    training.train(network, sequence, optimizer, epochs=epochs, batch_size=64, measure=si,
                   progress=False)
    return time.perf_counter() - start


def matrix_products(steps):
    """Seconds that the matrix products of `steps` steps take: forward, to weights, to inputs."""
    x, h = torch.randn(64, 784), torch.randn(64, 256)
    first, second = torch.randn(784, 256), torch.randn(256, 256)
    start = time.perf_counter()
    for _ in range(steps):
        _ = x @ first, h @ second           # forward
        _ = x.T @ h, h.T @ h, h @ second.T  # gradients: of both weights, of the hidden layer
    return time.perf_counter() - start


def seed(number, epochs, steps):
    """Seconds of one seed as the runner makes it, and of its bare matrix products; one thread."""
    torch.set_num_threads(1)
    record = execute(protocols.authors(protocols.SPLIT).replace(seed=number, epochs=epochs))
    return {"a seed of the runner": record["seconds"],
            "bare matrix products": matrix_products(steps)}


def avalanche(epochs):
    """Seconds of the same run in Avalanche, in a process and an environment of its own."""
    if not PYTHON.exists():
        print("installing avalanche-lib 0.6.0 into .venv-peers …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
        site = next(PEERS.glob("**/site-packages"))
        (site / "parent.pth").write_text(str(Path(torch.__file__).parents[1]))  # share our torch
        subprocess.run([PYTHON, "-m", "pip", "install", "-q", "avalanche-lib==0.6.0"], check=True)
    done = subprocess.run([PYTHON, ROOT / "benchmarks/avalanche_split_mnist.py", str(epochs)],
                          stdout=subprocess.PIPE, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    return float(done.stdout.split()[-1])


def ratio(name, to, rounds):
    """Print how the seconds of `name` compare with those of `to`: the median over the rounds."""
    ratios = [seconds[name] / seconds[to] for seconds in rounds]
    print(f"{name + ' / ' + to:45s} {statistics.median(ratios):.2f} "
          f"({min(ratios):.2f} to {max(ratios):.2f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-peers", action="store_true")
    args = parser.parse_args()

    torch.set_flush_denormal(True)
    data = datasets.load("mnist")
    sequence = tasks.split_classes(data)
    steps = args.epochs * sum(-(-len(task.y_train) // 64) for task in sequence)
    print(f"{data}; {steps} steps, {torch.get_num_threads()} threads", flush=True)
    run(sequence[:1], 1, True)
    matrix_products(100)
    rounds = []
    for _ in range(args.rounds):
        seconds = {"with SI": run(sequence, args.epochs, True),
                   "without": run(sequence, args.epochs, False),
                   "bare matrix products": matrix_products(steps)}
        if not args.without_peers:
            seconds["Avalanche 0.6.0"] = avalanche(args.epochs)
        print(", ".join(f"{name} {taken:.1f} s" for name, taken in seconds.items()), flush=True)
        rounds.append(seconds)
    ratio("with SI", "without", rounds)
    ratio("with SI", "bare matrix products", rounds)
    if not args.without_peers:
        ratio("Avalanche 0.6.0", "with SI", rounds)
    seeds = joblib.Parallel(2)(joblib.delayed(seed)(k, args.epochs, steps) for k in range(4))
    ratio("a seed of the runner", "bare matrix products", seeds)


if __name__ == "__main__":
    main()
