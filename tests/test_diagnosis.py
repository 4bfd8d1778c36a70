"""What a measure's diagnosis finds: each fault in a network that has it, and none in sound ones."""

import contextlib
import copy
import dataclasses
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from si_tutorial.importance import (
    ElasticWeightConsolidation,
    Finding,
    MemoryAwareSynapses,
    SynapticIntelligence,
    UniformImportance,
    diagnose,
)
from si_tutorial.importance.diagnosis import STEPS

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # some faults warn, too


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(3, 8), nn.Linear(8, 2)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)

    def forward(self, x):
        return self.head(self.layer(self.first(x)).mean(1))


def dense(*extra):
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 16), *extra, nn.ReLU(), nn.Linear(16, 2))


NETWORKS = {"dense": dense, "LSTM": Recurrent, "transformer": Attentive,
            "BatchNorm": lambda: dense(nn.BatchNorm1d(16))}
OPTIMIZERS = {
    "Adam": lambda net: torch.optim.Adam(net.parameters(), 1e-2),
    "SGD": lambda net: torch.optim.SGD(net.parameters(), 0.05, momentum=0.9),
    "groups": lambda net: torch.optim.AdamW(
        [{"params": [p], "lr": 1e-3 * (i + 1)} for i, p in enumerate(net.parameters())]),
    "fused": lambda net: torch.optim.Adam(net.parameters(), 1e-2, fused=True)}
MEASURES = {
    "SI": lambda net: SynapticIntelligence(net, damping=0.1),
    "default SI": SynapticIntelligence, "MAS": lambda net: MemoryAwareSynapses(net, strength=0.1),
    "EWC": lambda net: ElasticWeightConsolidation(net, strength=10.0),
    "L2": lambda net: UniformImportance(net, strength=0.1),
    "watching SI": lambda net: SynapticIntelligence(net, strength=0),
    "watching EWC": lambda net: ElasticWeightConsolidation(net, strength=0)}


def batch(task):
    generator = torch.Generator().manual_seed(task)
    x = torch.randn(64, 4, 3, generator=generator)
    return x, (x[:, task % 4].sum(1) > 0).long()


class Training:
    """A network, its optimizer and a measure, task after task."""

    def __init__(self, network="dense", optimizer="Adam", measure="SI", **settings):
        torch.manual_seed(0)
        self.net = NETWORKS[network]()
        self.optimizer = OPTIMIZERS[optimizer](self.net)
        make = MEASURES.get(measure, measure)
        self.measure = make(self.net, **settings).attach(self.optimizer)

    def steps(self, task, count=60, *, optimizer=None, frozen=True):
        optimizer = optimizer or self.optimizer
        x, y = batch(task)
        self.net.train()
        for layer in self.net.modules():
            if isinstance(layer, nn.BatchNorm1d) and task > 0 and frozen:
                layer.eval()
        for i in range(count):
            rows = slice(32 * (i % 2), 32 * (i % 2) + 32)
            optimizer.zero_grad()
            F.cross_entropy(self.net(x[rows]), y[rows]).backward()
            optimizer.step()
        return self

    def task(self, task, count=60, **how):
        self.steps(task, count, **how).measure.consolidate([batch(task)])
        return self


def words(training, optimizer=None):
    return [finding.what for finding in diagnose(training.measure, optimizer)]


# ------------------------------------------------------------------------------------- sound

SOUND = ([(network, "Adam", measure) for network in NETWORKS for measure in ("SI", "EWC")]
         + [("dense", optimizer, "SI") for optimizer in OPTIMIZERS if optimizer != "Adam"]
         + [("BatchNorm", "SGD", "EWC")]
         + [("dense", "Adam", measure) for measure in MEASURES if measure not in ("SI", "EWC")])


@pytest.mark.parametrize(("network", "optimizer", "measure"), SOUND)
def test_nothing_is_found_in_a_sound_training_at_any_time(network, optimizer, measure):
    training = Training(network, optimizer, measure)
    assert words(training) == []
    assert words(training.steps(0, 1)) == []
    assert words(training.steps(0)) == [] == words(training, training.optimizer)
    training.measure.consolidate([batch(0)])
    if network != "BatchNorm":  # whose layer has not been frozen yet
        assert words(training) == []
    for task in (1, 2):
        for count in (1, 48, 2, 50):
            assert words(training.steps(task, count)) == []
        training.optimizer.zero_grad()
        assert words(training) == []
        training.measure.consolidate([batch(task)])
        assert words(training) == []


@pytest.mark.parametrize("measure", ["SI", "EWC"])
def test_nothing_is_found_where_the_second_task_has_been_learned_to_the_end(measure):
    training = Training(measure=measure).task(0, 400)
    for _ in range(3):
        assert words(training.steps(1, 150)) == []


def frozen_body(training):
    training.net[1].requires_grad_(False)
    training.optimizer = torch.optim.Adam([p for p in training.net.parameters()
                                           if p.requires_grad])
    training.measure.detach().attach(training.optimizer)


def loaded_weights(training):
    training.net.load_state_dict({name: t + 0.1 for name, t in training.net.state_dict().items()})


def resumed(training):
    training.task(0).steps(1, 20)
    saved = copy.deepcopy([one.state_dict() for one in (
        training.net, training.optimizer, training.measure)])
    training.__init__()
    for one, state in zip((training.net, training.optimizer, training.measure), saved,
                          strict=True):
        one.load_state_dict(state)


def new_optimizer(training):
    training.task(0).measure.detach()
    training.optimizer = OPTIMIZERS["SGD"](training.net)
    training.measure.attach(training.optimizer)


@pytest.mark.parametrize("change", [frozen_body, loaded_weights, resumed, new_optimizer])
def test_nothing_is_found_after_a_sound_change(change):
    training = Training()
    change(training)
    assert words(training) == []
    assert words(training.steps(1, 3)) == []


def test_nothing_is_found_where_each_task_has_a_normalisation_of_its_own():
    training = Training()
    norms = nn.ModuleList(nn.BatchNorm1d(16) for _ in range(2))
    training.net = nn.ModuleDict({"first": nn.Linear(12, 16), "norms": norms,
                                  "head": nn.Linear(16, 2)})
    optimizer = OPTIMIZERS["Adam"](training.net)
    measure = SynapticIntelligence(training.net).attach(optimizer)
    for task in (0, 1):
        x, y = batch(task)
        for _ in range(10):
            optimizer.zero_grad()
            z = norms[task](training.net["first"](x.flatten(1))).relu()
            F.cross_entropy(training.net["head"](z), y).backward()
            optimizer.step()
        assert diagnose(measure) == []
        measure.consolidate()
        assert diagnose(measure) == []


def test_nothing_is_found_where_weights_are_clipped_under_a_measure_that_does_not_mind():
    training = Training(measure="EWC").task(0).steps(1, 5)
    with torch.no_grad():
        training.net[1].weight.clamp_(-0.1, 0.1)
    assert words(training) == []


def test_nothing_is_found_where_a_strength_is_small_and_acts():
    training = Training(measure=SynapticIntelligence, strength=3e-3, damping=0.1)
    assert words(training.task(0).steps(1, 60)) == []


def test_nothing_is_found_where_the_penalty_is_a_part_of_the_loss():
    training = Training(measure="EWC").task(0)
    measure, x = training.measure.detach(), batch(1)
    for _ in range(3):
        assert diagnose(measure, training.optimizer) == []
        training.optimizer.zero_grad()
        (F.cross_entropy(training.net(x[0]), x[1]) + measure.penalty()).backward()
        training.optimizer.step()


@pytest.mark.parametrize("measure", ["SI", "EWC"])
def test_looking_changes_nothing(measure):
    one, other = (Training(measure=measure).task(0) for _ in range(2))
    for _ in range(4):
        diagnose(one.measure)
        one.steps(1, 3)
        other.steps(1, 3)
    for name, p in one.net.named_parameters():
        torch.testing.assert_close(p, dict(other.net.named_parameters())[name], rtol=0, atol=0)
    assert (one.measure.steps, one.measure.tasks) == (12, 1)


# ------------------------------------------------------------------------------------- faults

def never_attached(measure):
    def fault():
        training = Training(measure=measure)
        training.measure.detach()
        return training.steps(0, 5)
    return fault


def another_optimizer():
    training = Training().task(0)
    training.measure.optimizer.zero_grad()
    training.optimizer = OPTIMIZERS["Adam"](training.net)
    return training


def unseen_steps():
    training = Training()
    return training.steps(0, 5, optimizer=OPTIMIZERS["SGD"](training.net))


def copied_hooks():
    training = Training()
    training.optimizer._optimizer_step_pre_hooks.clear()
    return training


def written_weights():
    training = Training().steps(0, 5)
    with torch.no_grad():
        training.net[1].weight.clamp_(-0.1, 0.1)
    return training


def another_head():
    training = Training().task(0)
    training.net.append(nn.Linear(2, 3))
    return training


def other_dtype():
    training = Training().task(0)
    training.net.double()
    return training


def half_an_optimizer():
    training = Training()
    training.measure.detach().attach(torch.optim.Adam(training.net[1].parameters()))
    return training


def no_learning_rate():
    training = Training()
    training.optimizer.param_groups[0]["lr"] = 0.0
    return training.task(0)


def sure_of_everything():
    """Where a network leaves no doubt, no label is a surprise, and the Fisher information is 0."""
    training = Training(measure="EWC")
    with torch.no_grad():
        training.net[-1].weight.zero_()
        training.net[-1].bias.copy_(torch.tensor([1e4, -1e4]))
    training.measure.detach().attach(training.optimizer)
    training.optimizer.param_groups[0]["lr"] = 0.0
    return training.task(0, 1)


def nan_in(what):
    def fault():
        training = Training().task(0).steps(1, 2)
        values = {"gradient": training.net[1].weight.grad, "value": training.net[1].weight.data,
                  "importance": training.measure.importance["1.weight"],
                  "path integral": training.measure.path_integral["1.weight"]}[what]
        values[0, 0] = float("nan")
        return training
    return fault


def kept_signs():
    """Weight decay moves weights uphill."""
    training = Training(optimizer="SGD", measure=SynapticIntelligence, clip="none", damping=0.1)
    training.optimizer.param_groups[0]["weight_decay"] = 0.5
    return training.task(0)


def too_stiff():
    return Training(optimizer="SGD", measure=UniformImportance, strength=100.0).task(0)


def one_group_too_stiff():
    training = Training(measure=UniformImportance, strength=1.0)
    training.measure.detach()
    weight, *others = training.net.parameters()
    training.optimizer = torch.optim.SGD([{"params": others, "lr": 0.01},
                                          {"params": [weight], "lr": 2.0}])
    training.measure.attach(training.optimizer)
    training.steps(0, 1).measure.consolidate()
    return training


def moving_statistics():
    return Training("BatchNorm").task(0).steps(1, 2, frozen=False)


def moved_statistics():
    return Training("BatchNorm").task(0).task(1, frozen=False)


def statistics_moved_without_a_step():
    training = Training("BatchNorm").task(0).task(1)
    training.net.train()(batch(2)[0])
    return training


def statistics_about_to_move():
    return Training("BatchNorm").task(0)


def too_weak():
    return Training(measure=SynapticIntelligence, strength=1e-6).task(0).steps(1, 60)


def too_strong():
    training = Training(measure=UniformImportance, strength=1e5).task(0)
    return training.steps(1, 60)


FAULTS = {
    never_attached("SI"): "attached to no optimizer",
    never_attached("EWC"): "attached to no optimizer",
    unseen_steps: "seen no step", copied_hooks: "lost", written_weights: "written to",
    another_head: "built on", other_dtype: "built on",
    half_an_optimizer: r"does not hold '3.weight', '3.bias'",
    no_learning_rate: "Every importance is zero", sure_of_everything: "Every importance is zero",
    nan_in("gradient"): "gradient of '1.weight' is NaN", nan_in("value"): "value of '1.weight'",
    nan_in("importance"): "importance of '1.weight' is NaN",
    nan_in("path integral"): "path integral of '1.weight' is NaN",
    kept_signs: "negative", too_stiff: "diverge on '1.weight', '1.bias' and 2 more",
    one_group_too_stiff: "diverge on '1.weight'$",
    moving_statistics: "changed the running statistics of BatchNorm1d '2'",
    moved_statistics: "changed the running statistics",
    statistics_moved_without_a_step: "statistics of BatchNorm1d '2'$",
    statistics_about_to_move: "In training mode: BatchNorm1d '2'",
    too_weak: "The pull is .* of the gradient", too_strong: "The pull is .* times the gradient"}


@pytest.mark.parametrize(("fault", "what"), FAULTS.items(), ids=lambda v: getattr(
    v, "__qualname__", ""))
def test_a_fault_is_found_and_nothing_else(fault, what):
    found = diagnose(fault().measure)
    assert len(found) == 1 and re.search(what, found[0].what), found
    for text in dataclasses.astuple(found[0]):
        assert len(text) > 20 and not text.endswith(".")


def test_an_optimizer_that_the_measure_does_not_know_is_found():
    training = another_optimizer()
    assert words(training, training.optimizer) == ["The measure is attached to another optimizer"]


def test_it_is_told_before_training_that_a_measure_is_not_attached():
    training = Training(measure="EWC")
    training.measure.detach()
    assert words(training, training.optimizer) == ["The measure is attached to no optimizer"]


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_sgd_diverges_where_it_is_said_to_and_adam_does_not(optimizer):
    training = Training(optimizer=optimizer, measure=UniformImportance, strength=100.0).task(0)
    found = words(training)
    with contextlib.suppress(FloatingPointError):
        training.steps(1, 100)
    lost = not all(p.isfinite().all() for p in training.net.parameters())
    assert bool(found) == lost == (optimizer == "SGD")


def test_the_highest_rate_that_it_names_is_the_highest():
    training = too_stiff()
    remedy = diagnose(training.measure)[0].remedy
    highest = float(remedy.split("below ")[1].split(",")[0])
    assert highest == pytest.approx(2 * (1 + 0.9) / (2 * 100), rel=1e-2)
    training.optimizer.param_groups[0]["lr"] = 0.99 * highest
    assert diagnose(training.measure) == []


REMEDIES = {too_weak: {"strength": 1.0}, too_strong: {"strength": 0.1}}


@pytest.mark.parametrize("fault", REMEDIES)
def test_a_strength_that_is_right_silences_it(fault):
    measure = type(fault().measure)
    assert words(Training(measure=measure, **REMEDIES[fault]).task(0).steps(1, 60)) == []


def test_a_finding_says_what_why_and_what_to_do_and_stays_as_it_is():
    finding = Finding("what", "why", "remedy")
    assert str(finding) == "what. why. remedy."
    with pytest.raises(dataclasses.FrozenInstanceError):
        finding.what = "else"


def test_of_several_groups_it_names_the_lowest_rate_and_the_worst_excess():
    """lr · 2cΩ is 4 with a limit of 2 in one group, and 12 with a limit of 2 (1 + 0.9)."""
    training = Training(measure=UniformImportance, strength=1.0)
    training.measure.detach()
    weight, *others = training.net.parameters()
    training.optimizer = torch.optim.SGD([{"params": others, "lr": 2.0},
                                          {"params": [weight], "lr": 6.0, "momentum": 0.9}])
    training.measure.attach(training.optimizer)
    training.steps(0, 1).measure.consolidate()
    finding, = diagnose(training.measure)
    assert "is 3.16 times" in finding.why and "lr below 1," in finding.remedy


def test_the_pull_is_looked_at_from_the_named_step_on():
    training = Training(measure=SynapticIntelligence, strength=1e-6).task(0).steps(1, STEPS - 1)
    assert words(training) == []
    assert len(words(training.steps(1, 1))) == 1


def test_a_network_put_into_training_mode_in_the_midst_of_a_task_is_no_fault_yet():
    training = Training("BatchNorm").task(0).steps(1, 2)
    training.net.train()
    assert words(training) == []
