"""A task of split MNIST in Avalanche 0.6.0, timed beside ours. Run by split_mnist.py."""

import chunks
import torch
from avalanche.benchmarks import nc_benchmark
from avalanche.models import MultiHeadClassifier, MultiTaskModule
from avalanche.training.plugins import EvaluationPlugin, SynapticIntelligencePlugin
from avalanche.training.supervised import Naive
from split_mnist import MLP, STEPS, first_task, whole_task
from torch import nn
from torch.utils.data import TensorDataset


class Network(MultiTaskModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(),
                                  nn.Linear(256, 256), nn.ReLU())
        self.head = MultiHeadClassifier(256, initial_out_features=2)

    def forward(self, x, task_labels):
        return self.head(self.body(x), task_labels)


def with_targets(x, y):
    dataset = TensorDataset(x.float() / 255, y)
    dataset.targets = y
    return dataset


def avalanche(task):
    """A function that trains the task with Avalanche's SI."""
    benchmark = nc_benchmark(with_targets(task.x_train, task.y_train),
                             with_targets(task.x_test, task.y_test), n_experiences=1,
                             task_labels=True)
    network = Network()
    strategy = Naive(model=network, optimizer=torch.optim.Adam(network.parameters(), lr=1e-3),
                     criterion=nn.CrossEntropyLoss(), train_mb_size=64, train_epochs=1,
                     evaluator=EvaluationPlugin(),
                     plugins=[SynapticIntelligencePlugin(si_lambda=1.0, eps=1e-3)])
    return lambda: strategy.train(benchmark.train_stream[0])


def main():
    tell, args = chunks.begin(__doc__)
    task = first_task()
    found = chunks.ratio(avalanche(task), whole_task(task), turns=args.turns, chunk=args.chunk)
    tell.ratio("task", "Avalanche 0.6.0, SI", "SI", found, network=MLP, batch_size=64, steps=STEPS)


if __name__ == "__main__":
    main()
