"""What the unit tests share: a data set small enough to look at, and a network to go with it."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import settings
from torch import nn

from si_tutorial.datasets import Dataset
from si_tutorial.experiments import runs
from si_tutorial.networks import MultiHeadNetwork, start_weights

torch.set_num_threads(1)  # the networks are tiny: threads would only wait for each other
settings.register_profile("same", deadline=None, derandomize=True)  # no clock, no new examples
settings.load_profile("same")


@pytest.fixture
def data() -> Dataset:
    """Ten classes of 6×6 images, 12 to train on and 5 to test on; no two images are alike."""
    generator = torch.Generator().manual_seed(0)

    def images(per_class):
        y = torch.arange(10).repeat_interleave(per_class)
        y = y[torch.randperm(len(y), generator=generator)]
        x = torch.randint(0, 100, (len(y), 1, 6, 6), generator=generator, dtype=torch.uint8)
        x.flatten(1)[torch.arange(len(y)), 3 * y] = 255  # a bright pixel gives the class away
        return x, y

    return Dataset("tiny", *images(12), *images(5), source="made up", complete=True)


@pytest.fixture
def run_data(data, monkeypatch) -> Dataset:
    """The same images with a black margin, 28×28: what every `Run` then trains on."""
    def framed(x):
        return F.pad(x, (0, 22, 0, 22))
    framed_data = replace(data, x_train=framed(data.x_train), x_test=framed(data.x_test))
    monkeypatch.setattr(runs, "_dataset", lambda name: framed_data)
    monkeypatch.setattr(runs, "_digest", runs._digest.__wrapped__)  # without its cache
    return framed_data


@pytest.fixture
def conv():
    """A function that builds a small convolutional network, in float64, from a seed."""
    def build(heads=(2, 2, 2), *, seed=0, tied=False, dtype=torch.float64):
        layers = [nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()]
        if tied:
            layers += [nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 16)]
            layers[7].weight = layers[5].weight
        network = MultiHeadNetwork(nn.Sequential(*layers), input_shape=(1, 6, 6), features=16,
                                   heads=heads if isinstance(heads, int) else list(heads))
        return start_weights(network, seed=seed, head_weights="random").to(dtype)
    return build
