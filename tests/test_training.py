import collections
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from si_tutorial import checkpoints, training
from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    SynapticIntelligence,
    UniformImportance,
)
from si_tutorial.networks import mlp
from si_tutorial.tasks import Task, permute_pixels, split_classes
from si_tutorial.training import train


def run(tasks, *, lr=0.01, optimizer=torch.optim.Adam, strength=None, dropout=0.0, network=None,
        **settings):
    network = network or mlp([2] * len(tasks), inputs=36, hidden=(16,), dropout=dropout)
    optimizer = optimizer(network.parameters(), lr=lr)
    si = (None if strength is None else
          SynapticIntelligence(network, strength=strength).attach(optimizer))
    settings = {"epochs": 2, "batch_size": 8, "progress": False} | settings
    return network, optimizer, train(network, tasks, optimizer, measure=si, **settings), si


class Spy(nn.Module):
    """One linear layer that writes down what it is trained on."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(36, 10)
        self.seen = []

    def forward(self, x, task):
        if self.training:
            self.seen.append((task.index, [image.numpy().tobytes() for image in x]))
        return self.linear(x.flatten(1))


class Guess(nn.Module):
    """Always names the first class."""

    def forward(self, x, task):
        return torch.eye(10)[0].expand(len(x), 10)


# ------------------------------------------------------------------------------ the accuracies

def test_accuracy_is_the_share_of_right_answers_on_each_tasks_test_set(data):
    y = torch.tensor([0, 1, 0, 0, 2])
    tasks = [Task(0, "", data.x_train, data.y_train, data.x_test[:5], y, (0, 1, 2)),
             Task(1, "", data.x_train, data.y_train, data.x_test[:2], y[:2], (0, 1, 2))]
    assert training.evaluate(Guess(), tasks).tolist() == [0.6, 0.5]


def test_testing_in_several_batches_counts_each_example_once(data):
    y = (torch.arange(4100) < 1025).long()
    task = Task(0, "", data.x_train, data.y_train, data.x_test[:1].expand(4100, 1, 6, 6), y, (0, 1))
    assert training.evaluate(Guess(), [task]).tolist() == [0.75]


@pytest.mark.parametrize("mode", [True, False])
def test_testing_leaves_the_mode_and_the_gradients_as_they_were(data, mode):
    network = mlp([2] * 5, inputs=36, hidden=(16,), dropout=0.5).train(mode)
    tasks = split_classes(data)
    first = training.evaluate(network, tasks)
    assert all(module.training is mode for module in network.modules())
    assert all(p.grad is None for p in network.parameters())
    assert np.array_equal(training.evaluate(network, tasks), first)  # dropout is off


@pytest.mark.parametrize("fails", [False, True])
def test_testing_leaves_each_modules_own_mode(data, fails):
    """Also where the user holds a part in evaluation mode, and where testing ends in an error."""
    network = mlp([2] * 5, inputs=36, hidden=(16, 8), dropout=0.5)
    network.body[1].eval()
    modes = [module.training for module in network.modules()]
    tasks = split_classes(data)
    if fails:
        with pytest.raises(ValueError, match="task 99 has no head"):
            training.evaluate(network, [replace(tasks[0], index=99)])
    else:
        training.evaluate(network, tasks)
    assert [module.training for module in network.modules()] == modes
    assert len(set(modes)) == 2


def norm_and_dropout():
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.BatchNorm1d(8), nn.Dropout(0.5),
                         nn.Linear(8, 2))


class ForAll(nn.Module):
    """One network for all tasks."""

    def __init__(self):
        super().__init__()
        self.net = norm_and_dropout()

    def forward(self, x, task):
        return self.net(x)


def test_a_network_handed_over_in_evaluation_mode_is_trained_in_training_mode(data):
    network, modes = ForAll().eval(), []
    network.net[3].register_forward_hook(lambda layer, *_: modes.append(layer.training))
    run(split_classes(data)[:2], network=network, epochs=1)
    assert sum(modes) == 2 * 3 and network.net[2].num_batches_tracked == 6


def test_a_batch_norm_that_is_held_in_evaluation_mode_stays_frozen(data):
    network = ForAll()
    network.net[2].eval()
    run(split_classes(data)[:2], network=network, every_epoch=True)
    assert network.net[2].num_batches_tracked == 0 and not network.net[2].training
    assert network.net[3].training


def test_each_row_is_measured_after_its_task_and_the_start_before_the_first(data):
    tasks = split_classes(data)[:3]
    network = mlp([2] * 3, inputs=36, hidden=(16,))
    at_start, rows = training.evaluate(network, tasks), {}

    def after_epoch(task, epoch):
        rows[task, epoch] = training.evaluate(network, tasks)
    _, _, history, _ = run(tasks, network=network, after_epoch=after_epoch, every_epoch=True)
    assert list(rows) == [(t, e) for t in range(3) for e in range(2)]
    assert np.array_equal(history.at_start, at_start)
    assert np.array_equal(history.accuracy, [rows[t, 1] for t in range(3)])
    assert np.array_equal(history.epochs, list(rows.values()))
    assert history.accuracy.shape == (3, 3)


def test_without_every_epoch_no_curve_is_measured(data):
    assert run(split_classes(data)[:2])[2].epochs.shape == (0, 2)


def test_training_learns_what_there_is_to_learn(data):
    """A bright pixel names the class; a network that learned nothing would be at one half."""
    _, _, history, _ = run(split_classes(data), epochs=20)
    assert history.accuracy.diagonal().min() > 0.8
    assert (history.at_start == 0.5).all()


# -------------------------------------------------------------------------------- what is seen

def test_tasks_are_trained_one_after_another_each_example_once_an_epoch(data):
    tasks, spy = permute_pixels(data, 3), Spy()
    run(tasks, network=spy)
    assert [task for task, _ in spy.seen] == [0] * 30 + [1] * 30 + [2] * 30
    for start in range(0, 90, 15):
        images = [image for _, batch in spy.seen[start:start + 15] for image in batch]
        assert len(images) == len(set(images)) == 120


def test_interleaved_training_shows_every_example_of_every_task_once_an_epoch(data):
    tasks, spy = split_classes(data, [[0, 1], [2, 3, 4], [5]], labels="global"), Spy()
    _, _, history, _ = run(tasks, network=spy, interleave=True)
    steps = [3, 5, 2]  # 24, 36 and 12 examples in batches of 8
    assert len(spy.seen) == 2 * sum(steps)
    for epoch in (spy.seen[:10], spy.seen[10:]):
        assert collections.Counter(task for task, _ in epoch) == dict(enumerate(steps))
        shown = collections.Counter((task, image) for task, batch in epoch for image in batch)
        assert len(shown) == 72 and set(shown.values()) == {1}
        assert [task for task, _ in epoch] != sorted(task for task, _ in epoch)
    assert [t for t, _ in spy.seen[:10]] != [t for t, _ in spy.seen[10:]]
    assert history.accuracy.shape == (3, 3)
    assert (history.accuracy == history.accuracy[0]).all()


def test_interleaving_takes_as_many_steps_as_training_in_sequence(data):
    tasks = split_classes(data, 3, labels="global")
    counts = []
    for interleave in (False, True):
        spy = Spy()
        run(tasks, network=spy, interleave=interleave)
        counts.append(len(spy.seen))
    assert counts[0] == counts[1]


# -------------------------------------------------------------------------------- determinism

@pytest.mark.parametrize("settings", [{}, {"interleave": True}, {"strength": 1.0}], ids=str)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(data, settings):
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(runs))  # what went before must not matter
        network, _, history, _ = run(split_classes(data)[:2], seed=seed, dropout=0.5, **settings)
        runs.append((network, history))
    (first, one), (again, two), (other, _) = runs
    assert all(map(torch.equal, first.parameters(), again.parameters()))
    assert np.array_equal(one.accuracy, two.accuracy)
    assert not torch.equal(first.body[0].weight, other.body[0].weight)


@pytest.mark.parametrize("interleave", [False, True])
def test_the_seed_decides_on_the_order_of_the_examples(data, interleave):
    orders = []
    for seed in (1, 1, 2):
        spy = Spy()
        run(split_classes(data, labels="global")[:2], network=spy, seed=seed, interleave=interleave)
        orders.append(spy.seen)
    assert orders[0] == orders[1]
    shown = [[image for _, images in order for image in images] for order in orders]
    assert collections.Counter(shown[0]) == collections.Counter(shown[2])
    assert shown[0][:8] != shown[2][:8]


def test_testing_every_epoch_does_not_change_the_training(data):
    first, again = (run(split_classes(data)[:2], dropout=0.5, every_epoch=flag)[0]
                    for flag in (False, True))
    assert all(map(torch.equal, first.parameters(), again.parameters()))


# ------------------------------------------------------------- the optimizer and the measure

@pytest.mark.parametrize(("reset", "fresh_at"), [(True, [0, 6, 12]), (False, [0])])
def test_the_optimizer_forgets_between_tasks_only_if_asked_to(data, reset, fresh_at):
    tasks = split_classes(data, labels="global")[:3]
    spy = Spy()
    optimizer = torch.optim.Adam(spy.parameters(), lr=0.01)
    ages = []
    optimizer.register_step_pre_hook(lambda *_: ages.append(
        max((int(s["step"]) for s in optimizer.state.values()), default=0)))
    train(spy, tasks, optimizer, epochs=2, batch_size=8, reset_optimizer=reset, progress=False)
    assert [i for i, age in enumerate(ages) if age == 0] == fresh_at
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_a_reset_optimizer_steps_like_a_new_one(data):
    tasks = split_classes(data, labels="global")[:2]
    networks = [Spy(), Spy()]
    networks[1].load_state_dict(networks[0].state_dict())
    run(tasks, network=networks[0], epochs=1)
    generator = torch.Generator().manual_seed(0)
    for task in tasks:
        optimizer = torch.optim.Adam(networks[1].parameters(), lr=0.01)
        training.train_epoch(networks[1], [(task, x, y) for x, y in task.batches(
            8, generator=generator)], optimizer)
    assert torch.equal(networks[0].linear.weight, networks[1].linear.weight)


def test_with_its_steps_counted_on_the_moments_are_forgotten_and_the_first_steps_are_long(data):
    """Adam by hand, from zero moments, without the correction that belongs to them."""
    tasks = split_classes(data)[:2]
    network = mlp([2] * 2, inputs=36, hidden=(5,))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.append(
        [(p.detach().clone(), None if p.grad is None else p.grad.clone())
         for p in network.parameters()]))
    train(network, tasks, optimizer, epochs=2, batch_size=8, reset_optimizer="moments",
          progress=False)
    per_task = len(seen) // 2
    seen.append([(p.detach().clone(), None) for p in network.parameters()])
    others, second = (list(head.parameters()) for head in network.heads)
    for place, p in enumerate(network.parameters()):
        if any(p is other for other in others):
            continue
        m = v = torch.zeros_like(p)
        for step in range(per_task, 2 * per_task):
            (before, grad), (after, _) = seen[step][place], seen[step + 1][place]
            m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
            counted = step + 1
            moved = -0.01 * (m / (1 - 0.9**counted)) / ((v / (1 - 0.999**counted)).sqrt() + 1e-8)
            torch.testing.assert_close(after - before, moved, rtol=1e-3, atol=1e-6)
    assert {int(optimizer.state[p]["step"]) for p in second} == {2 * per_task}


def test_moments_are_those_of_adam(data):
    spy = Spy()
    for kind in (torch.optim.SGD, torch.optim.RMSprop):
        with pytest.raises(ValueError, match=f"Adam's moments, got {kind.__name__}"):
            train(spy, split_classes(data)[:1], kind(spy.parameters(), lr=0.1), epochs=1,
                  batch_size=8, reset_optimizer="moments")
    assert not spy.seen


def test_the_measure_is_consolidated_after_each_task_with_the_steps_of_that_task(data):
    seen = []

    class Measure:
        def consolidate(self, batches=None, *, forward=None):
            seen.append(len(spy.seen))
    for interleave, expected in ((False, [6, 12, 18]), (True, [18])):
        spy = Spy()
        seen.clear()
        train(spy, split_classes(data, labels="global")[:3],
              torch.optim.SGD(spy.parameters(), lr=0.01), epochs=2, batch_size=8,
              measure=Measure(), interleave=interleave, progress=False)
        assert seen == expected


def test_a_measure_is_given_all_examples_of_its_task_and_the_head_of_it(data):
    """More than one batch of them, and in the same order whatever the seed."""
    many = replace(data, x_train=data.x_train.repeat(20, 1, 1, 1), y_train=data.y_train.repeat(20))
    tasks, given = split_classes(many)[:3], []

    class Measure:
        def consolidate(self, batches=None, *, forward=None):
            pairs = list(batches)
            task = tasks[len(given) % 3]
            x, y = (torch.cat(parts) for parts in zip(*pairs, strict=True))
            assert len(pairs) > 1 and len(x) == len(task.y_train) == 480
            assert sorted(y.tolist()) == sorted(task.y_train.tolist())
            assert {image.numpy().tobytes() for image in x} == {
                image.numpy().tobytes() for image in task.x_train / 255}
            assert torch.equal(forward(x), network(x, task.index))
            assert not any(torch.equal(forward(x), network(x, other.index))
                           for other in tasks if other is not task)
            given.append(y)

    for seed in (0, 1):
        network = mlp([2] * 3, inputs=36, hidden=(16,), head_weights="random")
        train(network, tasks, torch.optim.SGD(network.parameters(), lr=0.01), epochs=1,
              batch_size=64, measure=Measure(), progress=False, seed=seed)
    assert all(map(torch.equal, given[:3], given[3:]))


@pytest.mark.parametrize("kind", [ElasticWeightConsolidation, SynapticIntelligence,
                                  UniformImportance])
@pytest.mark.parametrize("attached", ["to nothing", "to another"])
def test_a_measure_that_is_not_attached_to_this_optimizer_is_refused_before_training(
        data, kind, attached):
    spy = Spy()
    optimizer, old = (torch.optim.SGD(spy.parameters(), lr=0.01) for _ in range(2))
    measure = kind(spy)
    if attached == "to another":
        measure.attach(old)
    settings = {"epochs": 1, "batch_size": 8, "progress": False}
    tasks = split_classes(data, labels="global")[:2]
    with pytest.raises(ValueError, match=rf"{kind.__name__} is not attached .* call attach"):
        train(spy, tasks, optimizer, measure=[measure], **settings)
    assert spy.seen == []
    train(spy, tasks, optimizer, measure=measure.detach().attach(optimizer), **settings)


@pytest.mark.parametrize("kind", [ElasticWeightConsolidation, MemoryAwareSynapses])
def test_interleaved_tasks_are_refused_before_training_by_what_looks_at_data_after_it(data, kind):
    spy = Spy()
    optimizer = torch.optim.SGD(spy.parameters(), lr=0.01)
    measure, tasks = kind(spy).attach(optimizer), split_classes(data, labels="global")
    settings = {"epochs": 1, "batch_size": 8, "interleave": True, "progress": False}
    with pytest.raises(ValueError, match=f"{kind.__name__} looks at the data of one task"):
        train(spy, tasks, optimizer, measure=measure, **settings)
    assert spy.seen == []
    train(spy, tasks[:1], optimizer, measure=measure, **settings)
    assert measure.tasks == 1


def test_synaptic_intelligence_is_trained_with_across_resets(data):
    plain = run(split_classes(data))[0]
    network, _, _, si = run(split_classes(data), strength=1.0)
    assert si.tasks == 5 and si.steps == 0
    assert all(o.max() > 0 for o in si.importance.values())
    assert not torch.equal(plain.body[0].weight, network.body[0].weight)


def test_an_observed_run_is_the_plain_run_bit_by_bit(data):
    plain, watched = run(split_classes(data))[0], run(split_classes(data), strength=0.0)[0]
    assert all(map(torch.equal, plain.parameters(), watched.parameters()))


# ------------------------------------------------------------------------- stop and go on

MEASURES = {
    "none": None,
    "SI": lambda net: SynapticIntelligence(net, strength=1.0),
    "EWC": lambda net: ElasticWeightConsolidation(net, strength=10.0, labels="sampled"),
    "EWC with a generator": lambda net: ElasticWeightConsolidation(
        net, strength=10.0, labels="sampled", generator=torch.Generator().manual_seed(3)),
    "MAS": lambda net: MemoryAwareSynapses(net, strength=0.1),
    "L2": lambda net: UniformImportance(net, strength=0.1),
}


class StopError(Exception):
    pass


def go(tasks, checkpoint, *, measure="SI", stop=None, hidden=16, dropout=0.5, heads=None,
       optimizer=torch.optim.Adam, lr=0.01, start=0, **settings):
    """Build everything anew and train; raise StopError at the epoch `stop`, counted from 0.

    Returns all that training changes: History, and the states of network, optimizer, measure.
    """
    torch.manual_seed(np.random.randint(1 << 30))  # what went before must not matter
    network = mlp(heads or [2] * len(tasks), inputs=36, hidden=(hidden,), dropout=dropout,
                  seed=start)
    optimizer = optimizer(network.parameters(), lr=lr)
    make = MEASURES.get(measure, measure)
    measure = make(network).attach(optimizer) if make else None
    epochs = []

    def after_epoch(task, epoch):
        epochs.append((task, epoch))
        if stop == len(epochs) - 1:
            raise StopError
    settings = {"epochs": 2, "batch_size": 8, "progress": False} | settings
    history = train(network, tasks, optimizer, measure=measure, after_epoch=after_epoch,
                    checkpoint=checkpoint, **settings)
    states = [one.state_dict() for one in (network, optimizer, measure) if one is not None]
    return history, states, epochs


def same_bits(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_bits(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_bits, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def assert_same_bits(one, other):
    (mine, states, _), (theirs, their_states, _) = one, other
    assert same_bits(states, their_states)
    for name in ("accuracy", "at_start", "epochs"):
        assert np.array_equal(getattr(mine, name), getattr(theirs, name))


@pytest.mark.parametrize("settings", [{}, {"reset_optimizer": False, "every_epoch": True}], ids=str)
@pytest.mark.parametrize("measure", MEASURES)
def test_a_run_stopped_in_any_task_goes_on_with_the_same_bits(data, tmp_path, measure, settings):
    tasks = split_classes(data)[:3]
    whole = go(tasks, None, measure=measure, **settings)
    for stop in range(6):
        file = tmp_path / f"{stop}.pt"
        with pytest.raises(StopError):
            go(tasks, file, measure=measure, stop=stop, **settings)
        rest = go(tasks, file, measure=measure, **settings)
        assert rest[2] == whole[2][stop:]  # no epoch that was saved is trained again
        assert_same_bits(rest, whole)


def test_a_run_stopped_again_and_again_comes_to_the_same_end(data, tmp_path):
    tasks, file = split_classes(data)[:4], tmp_path / "run.pt"
    for stop in (0, 3, 1, 2, 1):
        with pytest.raises(StopError):
            go(tasks, file, stop=stop)
    assert_same_bits(go(tasks, file), go(tasks, None))


def test_interleaved_tasks_are_one_round(data, tmp_path):
    tasks, file = split_classes(data)[:3], tmp_path / "run.pt"
    with pytest.raises(StopError):
        go(tasks, file, stop=1, interleave=True)
    first, again = (go(tasks, file, interleave=True) for _ in range(2))
    assert first[2] == [(0, 1)] and again[2] == []
    for one in (first, again):
        assert_same_bits(one, go(tasks, None, interleave=True))


def test_a_finished_run_is_read_and_not_trained_again(data, tmp_path):
    tasks, file = split_classes(data)[:2], tmp_path / "run.pt"
    first, again = (go(tasks, file) for _ in range(2))
    assert first[2] and not again[2]
    assert_same_bits(again, first)
    assert again[0].seconds >= checkpoints.load(file)["place"]["seconds"] > 0  # not no time


@pytest.mark.parametrize("nth", [1, 2, 3, 6])
def test_a_checkpoint_that_is_not_finished_does_no_harm(data, tmp_path, monkeypatch, nth):
    tasks, file, replace, calls = split_classes(data)[:3], tmp_path / "run.pt", os.replace, []

    def dies(*names):
        calls.append(names)
        if len(calls) == nth:
            raise StopError
        replace(*names)
    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(StopError):
        go(tasks, file)
    assert list(tmp_path.iterdir()) == [file] * (nth > 1)
    rest = go(tasks, file)
    assert len(rest[2]) == 7 - nth
    assert_same_bits(rest, go(tasks, None))
    assert list(tmp_path.iterdir()) == [file]


def test_a_damaged_checkpoint_is_not_used_and_the_run_begins_again(data, tmp_path):
    tasks, file = split_classes(data)[:3], tmp_path / "run.pt"
    with pytest.raises(StopError):
        go(tasks, file, stop=4)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.warns(RuntimeWarning, match="run.pt is damaged"):
        again = go(tasks, file)
    assert len(again[2]) == 6
    assert_same_bits(again, go(tasks, None))


# ---------------------------------------------------------------------- a shared first task

WATCH = {"measure": lambda net: SynapticIntelligence(net, strength=0)}


@pytest.mark.parametrize("settings", [{}, {"reset_optimizer": False}, {"every_epoch": "own"},
                                      {"reset_optimizer": "moments"}], ids=str)
@pytest.mark.parametrize("measure", MEASURES)
def test_a_run_that_takes_its_first_task_over_has_the_same_bits(data, tmp_path, measure, settings):
    """Dropout's random numbers, Adam's moments and the path integral included."""
    tasks, first = split_classes(data)[:3], tmp_path / "first.pt"
    settings = settings | {"heads": [2] * 3}
    go(tasks[:1], first, **WATCH, **settings)
    alone = go(tasks, None, measure=measure, **settings)
    shared = go(tasks, tmp_path / "run.pt", measure=measure, begin=first, **settings)
    assert shared[2] == alone[2][2:]  # it trained the others itself
    assert_same_bits(shared, alone)
    with pytest.raises(StopError):  # and goes on from its own checkpoint, once there is one
        go(tasks, tmp_path / "other.pt", measure=measure, begin=first, stop=1, **settings)
    rest = go(tasks, tmp_path / "other.pt", measure=measure, begin=first, **settings)
    assert rest[2] == alone[2][3:]
    assert_same_bits(rest, alone)


def test_the_first_task_counts_in_the_time_that_a_run_took(data, tmp_path):
    tasks, first = split_classes(data)[:2], tmp_path / "first.pt"
    go(tasks[:1], first, heads=[2] * 2, **WATCH)
    saved = checkpoints.load(first)
    saved["place"]["seconds"] = 1000.0
    checkpoints.save(first, saved)
    assert 1000 < go(tasks, None, begin=first)[0].seconds < 1100


@pytest.mark.parametrize(("changed", "named"), [
    ({"seed": 1}, "seed"), ({"epochs": 3}, "epochs"), ({"batch_size": 4}, "batch_size"),
    ({"dropout": 0.25}, "network"), ({"lr": 0.02}, "optimizer"), ({"start": 1}, "start")])
def test_a_first_task_that_was_trained_otherwise_is_refused(data, tmp_path, changed, named):
    tasks, first = split_classes(data)[:3], tmp_path / "first.pt"
    go(tasks[:1], first, heads=[2] * 3, **WATCH)
    with pytest.raises(ValueError, match=f"first.pt belongs to another run, .* its {named}"):
        go(tasks, None, begin=first, **changed)
    with pytest.raises(ValueError, match="differs in its task 1"):
        go(tasks[1:], None, begin=first, heads=[2] * 3)


@pytest.mark.parametrize("measure", [None, "EWC"])
def test_a_first_task_that_is_not_whole_or_was_not_watched_is_refused(data, tmp_path, measure):
    tasks, first = split_classes(data)[:2], tmp_path / "first.pt"
    with pytest.raises(StopError):
        go(tasks[:1], first, heads=[2] * 2, stop=1, **WATCH)
    with pytest.raises(ValueError, match="does not hold a whole first task"):
        go(tasks, None, begin=first)
    first.unlink()
    go(tasks[:1], first, heads=[2] * 2, measure=measure)
    with pytest.raises(ValueError, match="SynapticIntelligence: delete it and train it again"):
        go(tasks, None, begin=first)


def test_a_first_task_of_before_states_held_the_values_last_seen_is_refused(data, tmp_path):
    """Without them each measure would compare what is loaded with the weights before training."""
    tasks, first = split_classes(data)[:2], tmp_path / "first.pt"
    go(tasks[:1], first, heads=[2] * 2, **WATCH)
    saved = checkpoints.load(first)
    for name in ("version", "measure", "weights"):
        del saved["state"]["measure 0"][name]
    checkpoints.save(first, saved)
    with pytest.raises(ValueError, match=r"first\.pt does not hold .*this version's .*delete it"):
        go(tasks, None, begin=first)


def test_a_first_task_that_is_damaged_is_trained_again(data, tmp_path):
    tasks, first = split_classes(data)[:2], tmp_path / "first.pt"
    first.write_bytes(b"no checkpoint")
    with pytest.warns(RuntimeWarning, match="first.pt is damaged"):
        again = go(tasks, None, begin=first)
    assert len(again[2]) == 4
    assert_same_bits(again, go(tasks, None))


@pytest.mark.parametrize(("changed", "named"), [
    ({"seed": 1}, "seed"), ({"epochs": 3}, "epochs"), ({"batch_size": 4}, "batch_size"),
    ({"interleave": True}, "interleave"), ({"reset_optimizer": False}, "reset_optimizer"),
    ({"every_epoch": True}, "every_epoch"), ({"hidden": 17}, "network, start"),
    ({"dropout": 0.25}, "network"), ({"lr": 0.02}, "optimizer"),
    ({"optimizer": torch.optim.AdamW}, "optimizer"), ({"measure": "none"}, "measure 0"),
    ({"measure": lambda net: SynapticIntelligence(net, strength=2.0)}, "measure 0"),
    ({"measure": lambda net: SynapticIntelligence(net, damping=0.1)}, "measure 0"),
    ({"measure": lambda net: SynapticIntelligence(net, clip="none")}, "measure 0"),
    ({"start": 1}, "start"),
    ({"measure": lambda net: UniformImportance(net, strength=1.0)}, "measure 0")])
def test_another_runs_checkpoint_is_refused_before_anything_is_changed(
        data, tmp_path, monkeypatch, changed, named):
    tasks, file = split_classes(data)[:2], tmp_path / "run.pt"
    go(tasks, file)
    before, loaded = file.read_bytes(), []
    monkeypatch.setattr(nn.Module, "load_state_dict", lambda *a, **k: loaded.append(a))
    with pytest.raises(ValueError, match=f"run.pt belongs to another run, .* its {named}: delete"):
        go(tasks, file, **changed)
    assert file.read_bytes() == before and not loaded


def test_the_checkpoint_of_other_tasks_is_refused(data, tmp_path):
    file = tmp_path / "run.pt"
    go(split_classes(data)[:2], file)
    for other in (split_classes(data)[:1], split_classes(data)[1:3]):
        with pytest.raises(ValueError, match="differs in its task"):
            go(other, file, heads=[2] * 2)
    pixels, other_pixels = (permute_pixels(data, 2, seed=seed) for seed in (0, 1))
    file.unlink()
    go(pixels, file, heads=10)
    with pytest.raises(ValueError, match="differs in its task 2"):
        go(other_pixels, file, heads=10)


def test_an_accelerators_random_numbers_go_on_too(data, tmp_path, monkeypatch):
    """A stand-in for CUDA's generators; what draws from them there is dropout."""
    drawn, file = [], tmp_path / "run.pt"
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all",
                        lambda: [torch.tensor([len(drawn)], dtype=torch.uint8)])
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", drawn.extend)
    with pytest.raises(StopError):
        go(split_classes(data)[:2], file, stop=2)
    assert not drawn
    go(split_classes(data)[:2], file)
    assert drawn == [torch.tensor([0], dtype=torch.uint8)]


# --------------------------------------------------------------------------- what is refused

def test_a_loss_that_is_not_finite_ends_the_run_with_its_value(data):
    with pytest.raises(FloatingPointError, match=r"become (nan|-?inf)"):
        run(split_classes(data), lr=1e30, optimizer=torch.optim.SGD)


@pytest.mark.parametrize(("count", "settings", "message"), [
    (0, {}, "got 0 tasks"), (2, {"epochs": 0}, "epochs=0"),
    (2, {"batch_size": 0}, "at least 1, got 0")])
def test_training_on_nothing_is_refused(data, count, settings, message):
    with pytest.raises(ValueError, match=message):
        run(split_classes(data)[:count], network=Spy(), **settings)


def test_the_progress_bar_counts_epochs_and_can_be_left_out(data, capsys):
    run(split_classes(data)[:2])
    assert capsys.readouterr().err == ""
    run(split_classes(data)[:2], progress=True)
    assert "task 2/2" in (shown := capsys.readouterr().err) and "/4 " in shown
