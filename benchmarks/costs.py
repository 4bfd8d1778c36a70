"""What each measure adds to training, by the size of the network, the batch and past tasks.

A step with each measure to one without, for 10⁴ to 10⁸ parameters, for batches of 4 to 1,024 and
after 2, 20 and 200 tasks; what a task's end adds, as steps; and the memory that a measure holds,
as the system counts it (Linux).
"""

import itertools
import multiprocessing
import os
import warnings
from pathlib import Path

import chunks
import torch
import work

from si_tutorial.experiments.runs import PENALTIES

SIZES = (1e4, 1e5, 1e6, 1e7, 1e8)
BATCHES = (4, 16, 64, 256, 1024)
TASKS = (2, 20, 200)
USUAL = (256, 256)  # split MNIST's
WITHOUT_DATA = ("L2", "SI")
FEW = 5             # turns, where a step takes a second


def sizes(tell, turns, chunk):
    for parameters in SIZES:
        few = min(turns, FEW) if parameters > 1e7 else turns
        hidden = 2 * [work.width(parameters)]
        plain = work.step(work.perceptron(hidden), 64)
        for measure in PENALTIES:
            step = work.step(work.perceptron(hidden), 64, measure)
            tell.ratio("step", measure, "plain", chunks.ratio(step, plain, turns=few, chunk=chunk),
                       parameters=parameters, batch_size=64)
            if measure in WITHOUT_DATA:
                tell.ratio("step and end", measure, measure,
                           chunks.ratio(ended(step), step, turns=few, chunk=chunk),
                           parameters=parameters, batch_size=64)
            del step  # at 10⁸ two of them would be much


def ended(step):
    """A function that makes a step and ends the task."""
    def both():
        step()
        work.end(step.penalty)
    return both


def batches(tell, turns, chunk):
    for batch in BATCHES:
        step, plain = (work.step(work.perceptron(USUAL), batch, name) for name in ("SI", None))
        tell.ratio("batch", "SI", "plain", chunks.ratio(step, plain, turns=turns, chunk=chunk),
                   network="784-256-256", batch_size=batch)


def tasks(tell, turns, chunk):
    for measure, count in itertools.product(PENALTIES, TASKS):
        step = work.step(work.perceptron(USUAL), 64, measure, tasks=count)
        plain = work.step(work.perceptron(USUAL), 64)
        tell.ratio("tasks", measure, "plain", chunks.ratio(step, plain, turns=turns, chunk=chunk),
                   network="784-256-256", batch_size=64, tasks=count)


def memory(tell):
    if not Path("/proc/self/statm").exists():
        print("memory: this system does not tell how much of it a process holds")
        return
    wanted = [*((name, 1e7) for name in PENALTIES), ("SI", 1e8)]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh:
        for (name, parameters), held in zip(wanted, fresh.imap(_held, wanted), strict=True):
            tell.memory(name, held, parameters=parameters)


def _held(wanted) -> int:
    """Bytes that a measure holds, attached and after a step, in a process that did nothing else."""
    name, parameters = wanted
    torch.set_num_threads(1)
    network = work.perceptron(2 * [work.width(parameters)])
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-9)
    network(work.images(1)[0]).sum().backward()
    optimizer.step()
    before = _resident()
    penalty = PENALTIES[name](network).attach(optimizer)
    optimizer.step()
    return _resident() - before if penalty.steps else 0


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main():
    warnings.simplefilter("error")  # what a measure complains about is not what is to be timed
    tell, args = chunks.begin(__doc__)
    memory(tell)
    batches(tell, args.turns, args.chunk)
    tasks(tell, args.turns, args.chunk)
    sizes(tell, args.turns, args.chunk)


if __name__ == "__main__":
    main()
