"""What per-example curvature costs, as a ratio to one forward-backward pass over the same images.

    python benchmarks/fisher.py [--images 12000] [--rounds 7] [--threads 1]

Both are timed in turn, and the ratio is taken round by round, so that a busy machine slows both.
The network is that of split MNIST, 784-256-256 with a head of two classes; batches hold 256 images.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F

from si_tutorial import datasets
from si_tutorial.fisher import fisher_information, output_sensitivity
from si_tutorial.networks import mlp

LIMIT = 1.5  # for what needs one backward pass


def seconds(run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--images", type=int, default=12_000)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--threads", type=int, default=1)
    options = options.parse_args()
    torch.set_num_threads(options.threads)

    data = datasets.load("mnist")
    rows = torch.arange(options.images) % len(data.x_train)  # the subset is repeated
    x, y = data.x_train[rows].float().div_(255), data.y_train[rows] % 2
    network = mlp([2] * 5, head_weights="random")

    def batches():
        return zip(x.split(256), y.split(256), strict=True)

    def forward(x):
        return network(x, 0)

    def forward_backward():
        for some_x, some_y in batches():
            network.zero_grad()
            F.cross_entropy(forward(some_x), some_y).backward()

    measures = {f"Fisher, {labels} labels": lambda labels=labels: fisher_information(
        network, batches(), forward=forward, labels=labels)
        for labels in ("true", "sampled", "argmax", "expected")}
    measures["sensitivity (MAS)"] = lambda: output_sensitivity(network, batches(), forward=forward)

    print(f"{options.images:,} images, {options.threads} thread(s), torch {torch.__version__}")
    for name, measure in measures.items():
        measure(), forward_backward()
        ratios = [seconds(measure) / seconds(forward_backward) for _ in range(options.rounds)]
        ratio = statistics.median(ratios)
        verdict = ("grows with the classes, here 2" if "expected" in name
                   else f"limit {LIMIT}: {'ok' if ratio <= LIMIT else 'TOO SLOW'}")
        print(f"{name:24s} {ratio:.2f} × one pass "
              f"({min(ratios):.2f} to {max(ratios):.2f}; {verdict})")


if __name__ == "__main__":
    main()
