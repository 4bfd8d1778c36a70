"""BatchNorm's running statistics: the penalty cannot hold them, so it says so, once."""

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from si_tutorial.importance import SynapticIntelligence, UniformImportance

LAYERS = {"BatchNorm1d": lambda: nn.BatchNorm1d(6),
          "InstanceNorm1d": lambda: nn.Sequential(nn.Unflatten(1, (2, 3)), nn.InstanceNorm1d(
              2, affine=True, track_running_stats=True), nn.Flatten())}


class Net(nn.Module):
    """A BatchNorm for all tasks, or one for each."""

    def __init__(self, layers=1, kind="BatchNorm1d"):
        super().__init__()
        self.first, self.head = nn.Linear(4, 6), nn.Linear(6, 2)
        self.norms = nn.ModuleList(LAYERS[kind]() for _ in range(layers))

    def forward(self, x, task):
        norm = self.norms[min(task, len(self.norms) - 1)]
        return self.head(torch.tanh(norm(self.first(x))))


def batch(task):
    """Task 1 shows inputs far from those of task 0."""
    generator = torch.Generator().manual_seed(task)
    x = torch.randn(64, 4, generator=generator)
    return x + 4 * task, (x[:, 0] + (x[:, 1] if task else 0) > 0).long()


def learn(net, optimizer, task, *, epochs=60, frozen=False):
    x, y = batch(task)
    net.train()
    if frozen:
        net.norms.eval()
    for _ in range(epochs):
        optimizer.zero_grad()
        F.cross_entropy(net(x, task), y).backward()
        optimizer.step()


def accuracy(net, task):
    x, y = batch(task)
    with torch.no_grad():
        return (net.eval()(x, task).argmax(1) == y).float().mean().item()


def held(layers=1, *, strength=1e4, kind="BatchNorm1d", measure=UniformImportance):
    """A network that has learned task 0, under a penalty that lets it learn nothing more."""
    torch.manual_seed(0)
    net = Net(layers, kind)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    penalty = measure(net, strength=strength).attach(optimizer)
    learn(net, optimizer, 0)
    return net, optimizer, penalty.consolidate()


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("measure", [UniformImportance, SynapticIntelligence])
def test_statistics_that_move_in_the_second_task_are_told_of_once(kind, measure):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net, optimizer, penalty = held(kind=kind, measure=measure)
    with pytest.warns(RuntimeWarning, match="running statistics") as caught:
        learn(net, optimizer, 1)
        penalty.consolidate()
        learn(net, optimizer, 2)
    assert len(caught) == 1
    assert all(word in str(caught[0].message) for word in (kind, "'norms.0"))


def test_it_is_told_at_the_first_step_and_not_at_the_end():
    net, optimizer, _ = held()
    with pytest.warns(RuntimeWarning, match="running statistics"):
        learn(net, optimizer, 1, epochs=1)


def test_it_is_told_in_a_loop_that_attaches_to_nothing():
    net, optimizer, penalty = held()
    penalty.detach()
    x, y = batch(1)
    (F.cross_entropy(net(x, 1), y) + penalty.penalty()).backward()
    optimizer.step()
    with pytest.warns(RuntimeWarning, match="running statistics"):
        penalty.consolidate()


def forgetting(remedy=None):
    """Accuracy of task 0 before and after task 1, with what is done against forgetting."""
    net, optimizer, penalty = held(layers=2 if remedy == "a layer each" else 1)
    before, own = accuracy(net, 0), copy.deepcopy(dict(net.named_buffers()))
    learn(net, optimizer, 1, frozen=remedy == "freeze")
    penalty.consolidate()
    if remedy == "put back":
        net.load_state_dict(own, strict=False)
    return before, accuracy(net, 0)


@pytest.mark.filterwarnings("ignore:the running statistics")
def test_without_a_remedy_the_old_task_is_forgotten_though_no_weight_moves():
    before, after = forgetting()
    assert before > 0.9 and after < before - 0.2


@pytest.mark.parametrize("remedy", ["freeze", "a layer each", "put back"])
def test_each_remedy_that_the_message_names_helps_and_silences_it(remedy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if remedy == "put back":
            warnings.filterwarnings("ignore", "the running statistics")  # as the message says
        before, after = forgetting(remedy)
    assert before > 0.9 and after > before - 0.05


@pytest.mark.parametrize("strength", [0, 1.0])
def test_observers_and_layers_without_statistics_have_nothing_to_tell(strength):
    net, optimizer, _ = held(strength=strength)
    if strength:
        net.norms[0] = nn.BatchNorm1d(6, track_running_stats=False)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        UniformImportance(net).attach(optimizer).consolidate()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learn(net, optimizer, 1)


def test_after_loading_a_state_there_is_nothing_to_compare_with():
    net, optimizer, penalty = held()
    saved = copy.deepcopy((net.state_dict(), penalty.state_dict()))
    learn(net, optimizer, 1, epochs=1, frozen=True)
    net.load_state_dict(saved[0])
    penalty.load_state_dict(saved[1])
    net.norms[0].running_mean.add_(1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learn(net, optimizer, 1, frozen=True)
