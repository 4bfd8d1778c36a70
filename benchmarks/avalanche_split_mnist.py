"""The same experiment in Avalanche 0.6.0; prints the seconds. Run by split_mnist.py."""

import sys
import time

import torch
from avalanche.benchmarks import nc_benchmark
from avalanche.models import MultiHeadClassifier, MultiTaskModule
from avalanche.training.plugins import EvaluationPlugin, SynapticIntelligencePlugin
from avalanche.training.supervised import Naive
from torch import nn
from torch.utils.data import TensorDataset

from si_tutorial import datasets


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


def main(epochs):
    data = datasets.load("mnist")
    torch.set_flush_denormal(True)
    start = time.perf_counter()
    benchmark = nc_benchmark(with_targets(data.x_train, data.y_train),
                             with_targets(data.x_test, data.y_test), n_experiences=5,
                             task_labels=True, fixed_class_order=list(range(10)),
                             class_ids_from_zero_in_each_exp=True)
    network = Network()
    strategy = Naive(model=network, optimizer=torch.optim.Adam(network.parameters(), lr=1e-3),
                     criterion=nn.CrossEntropyLoss(), train_mb_size=64, train_epochs=epochs,
                     eval_mb_size=2000, evaluator=EvaluationPlugin(),
                     plugins=[SynapticIntelligencePlugin(si_lambda=1.0, eps=1e-3)])
    for experience in benchmark.train_stream:
        strategy.train(experience)
        strategy.eval(benchmark.test_stream)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main(int(sys.argv[1]))
