"""One run: what decides its result, and that nothing else does."""

import json
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from si_tutorial import checkpoints, datasets, training
from si_tutorial.experiments import protocols, provenance, report, runs
from si_tutorial.experiments.runs import PENALTIES, execute
from si_tutorial.experiments.settings import METHODS, SCENARIOS, Run
from si_tutorial.importance import SynapticIntelligence

TINY = protocols.SPLIT.replace(tasks=3, hidden=(8,), epochs=2, batch_size=8, learning_rate=0.01)
STRENGTHS = {"L2": 1e-2, "EWC": 1e2, "online EWC": 1e2, "MAS": 0.1, "SI": 1.0}
TAKEN_HERE = ("seconds", "finished")  # what of a record depends on when it was made


class StopError(Exception):
    pass


def tiny(method="fine-tuning", **changes):
    return protocols.with_method(TINY, method, STRENGTHS.get(method)).replace(**changes)


def result(run, **settings):
    return {name: value for name, value in execute(run, **settings).items()
            if name not in TAKEN_HERE}


# ---------------------------------------------------------------------------- what a run is

FULL = Run.of({
    "experiment": "split-mnist", "sequence": "split", "scenario": "domain", "method": "SI",
    "strength": 0.1, "damping": 1e-5, "seed": 3, "tasks": 2, "start": 0, "hidden": (7, 5),
    "network": "mlp", "dropout": 0.3, "head_weights": "random", "epochs": 4, "batch_size": 9,
    "learning_rate": 0.07, "weight_decay": 0.2, "reset_optimizer": False, "held_out": 6,
    "precision": "bfloat16", "schedule": "sequence", "correlate": True, "curves": True,
    "data": "mnist subset"})
CONV = FULL.replace(network="conv")
TASK = FULL.replace(scenario="task")
CHANGES = [
    ("experiment", "permuted-mnist"), ("sequence", "permuted"), ("scenario", "class"),
    ("strength", 0.2), ("damping", 2e-5), ("seed", 4), ("tasks", 3), ("hidden", (5, 7)),
    ("dropout", 0.4), ("head_weights", "zero"), ("epochs", 5), ("batch_size", 8),
    ("learning_rate", 0.06), ("weight_decay", 0.1), ("reset_optimizer", True), ("held_out", 7),
    ("precision", "float32"), ("correlate", False), ("curves", False), ("data", "mnist")]
PLAIN = FULL.replace(method="fine-tuning", strength=None, damping=None, correlate=False)


def test_a_run_survives_the_journey_through_a_store_field_by_field():
    for run in (FULL, CONV, PLAIN.replace(schedule="alone"), protocols.CIFAR):
        back = Run.of(json.loads(json.dumps(run.fields | {"accuracy": None, "version": 9})))
        assert back == run and back.key == run.key and hash(back) == hash(run)
        assert back.fields == run.fields


def test_the_names_of_all_fields_differ_so_that_a_line_can_be_flat():
    parts = [FULL.data, FULL.network, FULL.training, FULL.method]
    count = sum(len(fields(part)) for part in parts) + len(fields(Run)) - len(parts)
    count -= len({"code", "file"})  # of runs that take something from a file of one's own
    assert len(FULL.fields) == count
    for part in parts:
        for field in fields(part):
            assert getattr(part, field.name) in FULL.fields.values()


def test_runs_that_differ_in_any_one_field_have_keys_of_their_own():
    many = [FULL, CONV, TASK, TASK.replace(start=1), PLAIN, PLAIN.replace(schedule="alone"),
            *(FULL.replace(**{name: value}) for name, value in CHANGES)]
    changed = {name for name, _ in CHANGES} | {"network", "start", "method", "schedule"}
    assert changed == set(FULL.fields)  # none is forgotten
    assert len(set(many)) == len({run.key for run in many}) == len(many)


@pytest.mark.parametrize("changes", [{"hiden": (3,)}, {"name": "SI"}, {"lr": 1.0}], ids=str)
def test_a_field_that_there_is_not_is_named(changes):
    with pytest.raises(TypeError, match=f"no field {next(iter(changes))}: its fields are exper"):
        FULL.replace(**changes)
    with pytest.raises(TypeError, match="no field hidden"):
        CONV.replace(hidden=(3,))


def test_runs_begin_alike_if_nothing_differs_but_what_acts_after_the_first_task():
    for run in (TINY, protocols.CIFAR):
        alike = [run, protocols.authors(run), run.replace(correlate=True),
                 run.replace(reset_optimizer=False), run.replace(reset_optimizer="moments"),
                 run.replace(schedule="alone"), run.replace(schedule="first, then heads"),
                 *(protocols.with_method(run, method, 1.0) for method in PENALTIES)]
        assert len({one.first_task for one in alike}) == 1
        other = [run.replace(seed=1), run.replace(epochs=9), run.replace(weight_decay=0.1),
                 run.replace(precision="float32" if run is protocols.CIFAR else "bfloat16")]
        assert len({one.first_task for one in (run, *other)}) == 5
        assert run.replace(method="joint").first_task is None


def test_a_result_names_the_commit_that_ran_and_not_a_later_one(run_data, monkeypatch):
    def git(words, **_):
        return SimpleNamespace(stdout=tree[0] if "rev-parse" in words else "")

    def train(*args, real=training.train, **settings):
        tree[0] = "another one"  # while the run goes on
        return real(*args, **settings)

    tree = ["the one that runs"]
    monkeypatch.setattr(provenance.subprocess, "run", git)
    monkeypatch.setattr(training, "train", train)
    provenance.commit.cache_clear()
    try:
        assert execute(TINY)["commit"] == "the one that runs"
    finally:
        provenance.commit.cache_clear()


def test_equal_runs_have_one_key_however_they_were_written():
    plain = FULL.replace(strength=1.0, damping=0.0, dropout=0.0, learning_rate=1.0)
    other = FULL.replace(strength=1, damping=0, dropout=0, learning_rate=1, hidden=[7, 5],
                    reset_optimizer=0, correlate=1)
    assert other == plain and other.key == plain.key and hash(other) == hash(plain)


@pytest.mark.parametrize(("changes", "message"), [
    ({"method": "GEM"}, "unknown method 'GEM': choose from fine-tuning, joint, L2, EWC"),
    ({"sequence": "rotated"}, "unknown sequence 'rotated': choose from split, permuted, cifar"),
    ({"sequence": "cifar"}, "'cifar' is not made of 'mnist'"),
    ({"data": "cifar"}, "'split' is not made of 'cifar'"),
    ({"data": "cifar", "sequence": "cifar", "scenario": "class"}, "its scenario is 'task'"),
    ({"scenario": "class", "start": 1}, "got start=1 in scenario 'class'"),
    ({"network": "transformer"}, "unknown network 'transformer': choose from mlp, conv"),
    ({"hidden": 7}, "hidden must be the layers' widths"), ({"hidden": (0,)}, "layers' widths"),
    ({"dropout": 1.5}, "dropout must lie from 0 to below 1, got 1.5"),
    ({"learning_rate": 0}, "learning_rate must be above 0, got 0"),
    ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'"),
    ({"weight_decay": -1}, "weight_decay must be at least 0, got -1"),
    ({"precision": "half"}, "unknown precision 'half': choose from float32, bfloat16"),
    ({"schedule": "twice"}, "unknown schedule 'twice': choose from sequence, alone"),
    ({"schedule": "alone", "method": "MAS", "strength": 1}, "leaves nothing to protect"),
    ({"schedule": "alone", "correlate": True}, "trained in sequence"),
    ({"method": "MAS", "strength": -1}, "strength must be at least 0, got -1"),
    ({"method": "MAS", "strength": float("nan")}, "strength must be finite, got nan"),
    ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
    ({"tasks": 0}, "tasks must be a whole number of at least 1, got 0"),
    ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
    ({"curves": "yes"}, "curves must be True or False, got 'yes'"),
    ({"scenario": "tasks"}, "unknown scenario 'tasks': choose from task, domain, class"),
    ({"head_weights": "glorot"}, "unknown head_weights 'glorot': choose from zero, random"),
    ({"reset_optimizer": "false"}, "reset_optimizer must be True or False, got 'false'"),
    ({"epochs": "many"}, "epochs must be a whole number of at least 1, got 'many'"),
    ({"epochs": 1.5}, "epochs must be a whole number of at least 1, got 1.5"),
    ({"method": "EWC"}, "EWC needs a strength, got None"),
    ({"method": "SI", "strength": 1}, "SI needs a damping, got None"),
    ({"strength": 1}, "fine-tuning has no strength, got 1"),
    ({"method": "joint", "strength": 0}, "joint has no strength, got 0"),
    ({"method": "MAS", "strength": 1, "damping": 0}, "MAS has no damping, got 0"),
    ({"damping": 0.1}, "fine-tuning has no damping, got 0.1"),
    ({"method": "joint", "correlate": True}, "joint has no path integral"),
    ({"method": "MAS", "strength": 1, "correlate": True}, "MAS has no path integral")], ids=str)
def test_a_run_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        TINY.replace(**changes)


@pytest.mark.parametrize("tasks", [6, 20])
def test_more_tasks_than_there_are_are_refused(run_data, tasks):
    with pytest.raises(ValueError, match=f"into 1 to 5 tasks, got tasks={tasks}"):
        execute(TINY.replace(tasks=tasks))


# -------------------------------------------------------------------- what it is trained on

@pytest.mark.parametrize("sequence", ("split", "permuted"))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_has_its_heads_and_its_labels(run_data, sequence, scenario):
    run = TINY.replace(sequence=sequence, scenario=scenario)
    net, tasks = runs.network(run), runs.sequence(run)
    each = 2 if sequence == "split" else 10
    sizes = [head.out_features for head in net.heads]
    assert sizes == {"task": [each] * 3, "domain": [each], "class": [3 * each]}[scenario]
    assert [len(set(task.y_train.tolist())) for task in tasks] == [each] * 3
    across = set.union(*(set(task.y_train.tolist()) for task in tasks))
    assert across == set(range(3 * each if scenario == "class" else each))
    for task in tasks:
        x, y = next(task.batches(16))
        assert net(x, task).shape[1] > y.max()


@pytest.mark.parametrize("changes", [{"hidden": (6, 5)}, {"dropout": 0.5}], ids=str)
def test_the_network_is_the_one_the_run_names(run_data, changes):
    run = TINY.replace(**changes)
    net = runs.network(run)
    assert [layer.out_features for layer in net.body if hasattr(layer, "out_features")] == list(
        run.network.hidden)
    assert [layer.p for layer in net.body if hasattr(layer, "p")] == (
        [run.network.dropout] * len(run.network.hidden) if run.network.dropout else [])
    for start in ("zero", "random"):
        heads = runs.network(run.replace(head_weights=start)).heads
        assert all(bool(head.weight.any()) == (start == "random") for head in heads)


def test_the_seed_decides_the_start_the_order_and_the_permutations(run_data):
    first, again, other = (TINY.replace(sequence="permuted", seed=seed) for seed in (1, 1, 2))
    starts = [runs.network(run).body[0].weight for run in (first, again, other)]
    assert torch.equal(starts[0], starts[1]) and not torch.equal(starts[0], starts[2])
    orders = [runs.sequence(run)[1].pixels.tolist() for run in (first, again, other)]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("method", METHODS)
def test_the_penalty_is_the_methods_own_with_its_strength_and_damping(run_data, method):
    run = tiny(method)
    penalty = runs.measure(run, runs.network(run))
    if method not in PENALTIES:
        assert penalty is None
        return
    assert penalty.strength == run.method.strength
    assert getattr(penalty, "damping", None) == run.method.damping
    if method.endswith("EWC"):
        assert penalty.anchors == ("per_task" if method == "EWC" else "latest")


def test_tuning_never_looks_at_the_test_set(run_data, monkeypatch):
    for held_out, touched in ((30, False), (0, True)):
        results = []
        for x_test in (run_data.x_test, run_data.x_test.flip(0)):
            other = replace(run_data, x_test=x_test)
            monkeypatch.setattr(runs, "_dataset", lambda name, other=other: other)
            results.append(result(tiny(held_out=held_out, epochs=5)))
        assert (results[0]["accuracy"] != results[1]["accuracy"]) == touched


def test_held_out_images_are_the_last_ones_and_are_not_trained_on(run_data):
    whole, tasks = runs.sequence(tiny()), runs.sequence(tiny(held_out=30))
    last = {image.numpy().tobytes() for image in run_data.x_train[-30:]}
    for task, full in zip(tasks, whole, strict=True):
        train, test, both = ({image.numpy().tobytes() for image in x}
                             for x in (task.x_train, task.x_test, full.x_train))
        assert train | test == both and not train & test
        assert test <= last and not train & last


@pytest.mark.parametrize("held_out", [2, 119, 120, 500])
def test_too_few_or_too_many_held_out_images_are_refused(run_data, held_out):
    with pytest.raises(ValueError, match=f"held_out={held_out} leaves classes of tiny without"):
        execute(tiny(held_out=held_out))


@pytest.mark.parametrize("run", [
    tiny(), tiny("joint", seed=7, epochs=4, batch_size=5, learning_rate=0.3),
    tiny("SI", reset_optimizer=False, tasks=2)], ids=lambda run: run.method.name)
def test_the_training_is_the_one_that_the_run_names(run_data, monkeypatch, run):
    def train(network, its_tasks, optimizer, **settings):
        asked.update(settings, tasks=len(its_tasks), learning_rate=optimizer.defaults["lr"])
        raise StopError

    asked = {}
    monkeypatch.setattr(training, "train", train)
    with pytest.raises(StopError):
        execute(run)
    for name in ("seed", "epochs", "batch_size", "learning_rate", "reset_optimizer", "tasks"):
        assert asked[name] == run.fields[name]
    assert asked["interleave"] == (run.method.name == "joint")
    assert (asked["measure"] is None) == (run.method.name != "SI")


def test_the_full_set_is_never_replaced_by_the_subset_nor_the_other_way_round(monkeypatch):
    read = runs._dataset.__wrapped__
    monkeypatch.setattr(datasets, "subset", lambda: "subset")
    monkeypatch.setattr(datasets, "load", lambda name, strict=False: (name, strict))
    assert read("mnist subset") == "subset"
    assert read("mnist") == ("mnist", True)


# ------------------------------------------------------------------------------ the result

@pytest.mark.parametrize("method", METHODS)
def test_equal_runs_give_equal_results(run_data, tmp_path, method):
    run = tiny(method, dropout=0.5)
    first = result(run)
    torch.manual_seed(99)
    torch.rand(7)
    assert result(run, checkpoints=tmp_path) == first
    assert Run.of(json.loads(json.dumps(first))) == run
    assert np.shape(first["accuracy"]) == (3, 3) and np.shape(first["at_start"]) == (3,)
    assert first["failed"] is first["correlation"] is None


def test_the_result_says_where_it_comes_from_and_nothing_private(
        run_data, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "folder", lambda: tmp_path)
    record = execute(TINY, checkpoints=tmp_path)
    arrays = {key: getattr(run_data, key).numpy() for key in datasets.KEYS}
    assert record["data_digest"] == datasets.digest(arrays)
    assert record["data_source"] == str(run_data)
    assert record["versions"].keys() == {"python", "si-tutorial", "torch", "numpy"}
    assert record["threads"] == 1 and record["device"] == "cpu" and record["machine"]
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize("method", ["joint", "SI", "EWC"])
def test_an_interrupted_run_goes_on_to_the_same_result(run_data, tmp_path, method):
    assert_the_same_when_interrupted(tiny(method, dropout=0.5), tmp_path)


def assert_the_same_when_interrupted(run, folder):
    """Stop it in its last epoch but one, and again in the last one; then let it come to its end."""
    whole, rounds = result(run), 1 if run.method.name == "joint" else run.data.tasks
    trained = []

    def stop(task, epoch):
        trained.append((task, epoch))
        if (task, epoch) in ((rounds - 1, 0), (rounds - 1, 1)) and trained.count((task, epoch)) < 2:
            raise StopError

    for _ in range(2):
        with pytest.raises(StopError):
            execute(run, checkpoints=folder, after_epoch=stop)
    assert result(run, checkpoints=folder, after_epoch=stop) == whole
    assert trained == [(task, epoch) for task in range(rounds - 1) for epoch in range(2)] + [
        (rounds - 1, epoch) for epoch in (0, 0, 1, 1)]  # no finished epoch is trained again


def test_a_run_that_diverges_is_a_result_too(run_data, tmp_path):
    run = tiny(learning_rate=1e30, reset_optimizer=False)
    record = execute(run, checkpoints=tmp_path)
    assert record["accuracy"] is record["at_start"] is record["seconds"] is None
    assert "loss has become" in record["failed"] and record["machine"]
    assert Run.of(json.loads(json.dumps(record, allow_nan=False))) == run


def test_what_is_left_in_the_folder_is_deleted_for_this_run_alone(run_data, tmp_path):
    mine, other = tiny("SI", correlate=True), tiny("SI")
    for run in (mine, other):
        execute(run, checkpoints=tmp_path)
    (tmp_path / f"{mine.key}.pt.part").touch()
    theirs = {f for f in tmp_path.iterdir() if f.name.startswith(other.key)}
    assert len(list(tmp_path.iterdir())) == 1 + 3 + 1 + len(theirs) and theirs
    runs.finished_with(mine, tmp_path)
    assert set(tmp_path.iterdir()) == theirs


# ---------------------------------------------- one thread, no denormals, float32 where it is named

def flushes():
    return (torch.tensor([2e-38]) / 100).item() == 0


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("flush", [False, True])
def test_threads_and_how_numbers_are_rounded_are_left_as_they_were(run_data, flush, fails):
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormal numbers")
    threads, inside, rounds = torch.get_num_threads(), [], torch.backends.cudnn.allow_tf32
    assert rounds  # PyTorch's default
    torch.set_num_threads(2)
    torch.set_flush_denormal(flush)
    try:
        execute(tiny(learning_rate=1e30 if fails else 0.01), after_epoch=lambda task, epoch:
                inside.append((torch.get_num_threads(), flushes(),
                               torch.backends.cudnn.allow_tf32)))
        assert (torch.get_num_threads(), flushes()) == (2, flush)
        assert torch.backends.cudnn.allow_tf32 == rounds
        assert set(inside) == (set() if fails else {(1, True, False)})
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


# ----------------------------------------------------------------------------- correlations

@pytest.mark.parametrize("method", ["fine-tuning", "SI"])
def test_correlating_is_observing(run_data, tmp_path, method):
    plain, watched = (result(tiny(method, dropout=0.5, correlate=flag)) for flag in (False, True))
    assert watched["accuracy"] == plain["accuracy"] and watched["at_start"] == plain["at_start"]
    assert plain["correlation"] is None and watched["correlation"]


@pytest.mark.parametrize("hidden", [(8,), (8, 6)])
def test_correlations_are_pearsons_between_the_tasks_path_integrals(run_data, hidden):
    """Against a training loop of its own and the formula, weight by weight."""
    run = tiny("SI", hidden=hidden, correlate=True)
    net, tasks = runs.network(run), runs.sequence(run)
    optimizer = torch.optim.Adam(net.parameters(), lr=run.training.learning_rate, fused=True)
    si = SynapticIntelligence(net, strength=run.method.strength, damping=run.method.damping)
    si.attach(optimizer)
    layers, kept = [f"body.{2 * i}.weight" for i in range(len(hidden))], []
    training.train(net, tasks, optimizer, epochs=2, batch_size=8, measure=si, progress=False,
                   after_epoch=lambda task, epoch: epoch == 1 and kept.append(
                       [si.path_integral[name].double().flatten().tolist() for name in layers]))

    def pearson(x, y):
        dx, dy = ([v - mean for v in z] for z, mean in ((z, sum(z) / len(z)) for z in (x, y)))
        return (sum(a * b for a, b in zip(dx, dy, strict=True))
                / (sum(a * a for a in dx) * sum(b * b for b in dy)) ** 0.5)

    found = execute(run)["correlation"]
    assert list(found) == [f"layer {i + 1}" for i in range(len(hidden))]
    for i, matrix in enumerate(found.values()):
        expected = [[pearson(a[i], b[i]) for b in kept] for a in kept]
        assert np.allclose(matrix, expected, atol=2e-6)
        assert np.allclose(matrix, np.transpose(matrix), atol=2e-6)
        assert np.diagonal(matrix).tolist() == [1.0] * 3


def test_an_interrupted_run_has_the_same_correlations(run_data, tmp_path):
    assert_the_same_when_interrupted(tiny("SI", correlate=True), tmp_path)


def test_one_task_correlates_with_itself(run_data):
    assert execute(tiny(tasks=1, correlate=True))["correlation"] == {"layer 1": [[1.0]]}


def test_where_nothing_was_earned_there_is_no_correlation(run_data):
    """After one step from zero heads, no gradient has reached the layers below them."""
    record = execute(tiny(tasks=2, epochs=1, batch_size=120, correlate=True))
    assert record["correlation"] == {"layer 1": [[None, None], [None, None]]}
    json.dumps(record, allow_nan=False)


# ------------------------------------------------------------------------------------- CIFAR

CIFAR = protocols.CIFAR.replace(epochs=2, batch_size=16, tasks=3)


def in_colour(name, classes, each):
    """32×32 images in colour, so many of each class to train on, and two to test on."""
    generator = torch.Generator().manual_seed(0)

    def part(each):
        y = torch.arange(classes).repeat(each)
        x = torch.randint(0, 128, (len(y), 3, 32, 32), generator=generator, dtype=torch.uint8)
        x.flatten(1)[torch.arange(len(y)), 30 * y] = 255
        return x, y
    return datasets.Dataset(name, *part(each), *part(2), source="made up", complete=True)


@pytest.fixture
def cifar_data(monkeypatch):
    there = {"cifar10": in_colour("cifar10", 10, 4), "cifar100": in_colour("cifar100", 100, 4)}
    monkeypatch.setattr(runs, "_dataset", there.__getitem__)
    monkeypatch.setattr(runs, "_digest", runs._digest.__wrapped__)
    return there


def test_cifar_is_ten_classes_of_one_set_and_then_the_others_tens_in_order(cifar_data):
    tasks = runs.sequence(protocols.CIFAR)
    assert [task.index for task in tasks] == list(range(6))
    for task, (name, start) in zip(tasks, [("cifar10", 0), *(("cifar100", 10 * i)
                                                            for i in range(5))], strict=True):
        data = cifar_data[name]
        mine = (data.y_train >= start) & (data.y_train < start + 10)
        assert torch.equal(task.x_train, data.x_train[mine])
        assert torch.equal(task.y_train, data.y_train[mine] - start)
    later = runs.sequence(protocols.CIFAR.replace(start=1, tasks=2))
    assert [task.index for task in later] == [0, 1]
    for one, other in zip(later, tasks[1:3], strict=True):
        assert torch.equal(one.x_train, other.x_train) and one.name == other.name
    with pytest.raises(ValueError, match="got tasks=9 from start=3"):
        runs.sequence(protocols.CIFAR.replace(start=3, tasks=9))


def test_cifars_held_out_images_are_drawn_at_random_and_the_same_for_every_run(cifar_data):
    cifar_data |= {"cifar10": in_colour("cifar10", 10, 60), "cifar100": in_colour("c", 100, 12)}
    whole, tasks = (runs.sequence(CIFAR.replace(held_out=count)) for count in (0, 450))
    again = runs.sequence(CIFAR.replace(held_out=450, seed=5, method="L2", strength=1.0))
    for full, task, same in zip(whole, tasks, again, strict=True):
        assert torch.equal(task.x_train, same.x_train) and torch.equal(task.x_test, same.x_test)
        train, test, both = ({image.numpy().tobytes() for image in x}
                             for x in (task.x_train, task.x_test, full.x_train))
        assert train | test == both and not train & test
    last = {image.numpy().tobytes() for image in cifar_data["cifar10"].x_train[-450:]}
    drawn = {image.numpy().tobytes() for image in tasks[0].x_test}
    assert len(drawn) == len(last) == 450 and 250 < len(drawn & last) < 400


def test_a_cifar_line_names_both_data_sets_by_the_digest_of_their_files(cifar_data):
    record = execute(CIFAR.replace(tasks=1, epochs=1, batch_size=40))
    known = [datasets.digest({key: value.numpy().transpose(0, 2, 3, 1) if value.ndim == 4
                              else value.numpy() for key in datasets.KEYS
                              for value in [getattr(data, key)]}) for data in cifar_data.values()]
    assert record["data_digest"] == " ".join(known)
    assert record["data_source"].count("made") == 0 and record["data_source"].count(";") == 1


def accuracy_of(net, task):
    return training.evaluate(net, [task])[0].round(6)


def alone(run, tasks, *chosen, body=True):
    """A loop of its own: the network after training on the chosen tasks in turn."""
    net = runs.network(run)
    torch.manual_seed(run.seed)
    order = torch.Generator().manual_seed(run.seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=run.training.learning_rate, fused=True)
    for place, index in enumerate(chosen):
        if place == 1:
            net.body.requires_grad_(body)
        for _ in range(run.training.epochs):
            training.train_epoch(net, ((tasks[index], x, y) for x, y in tasks[index].batches(
                run.training.batch_size, generator=order)), optimizer)
        optimizer.state.clear()
    return net


def test_alone_every_task_has_a_fresh_network(cifar_data):
    run = CIFAR.replace(schedule="alone")
    tasks, record = runs.sequence(run), execute(run)
    own = [accuracy_of(alone(run, tasks, i), tasks[i]) for i in range(3)]
    start = [accuracy_of(runs.network(run), task) for task in tasks]
    assert record["accuracy"] == [[own[0], *start[1:]], [*own[:2], start[2]], own]
    assert record["at_start"] == start
    assert [curve[-1] for curve in record["curve"]] == own


def test_first_then_one_gives_every_task_a_copy_that_knows_the_first(cifar_data):
    run = CIFAR.replace(schedule="first, then one")
    tasks, record = runs.sequence(run), execute(run)
    own = [accuracy_of(alone(run, tasks, 0), tasks[0]),
           *(accuracy_of(alone(run, tasks, 0, i), tasks[i]) for i in (1, 2))]
    assert record["accuracy"][-1] == own
    in_sequence = execute(CIFAR)["accuracy"]
    assert record["accuracy"][1] == [own[0], own[1], record["at_start"][2]]
    assert in_sequence[1][1] == own[1]  # the second task begins as it does in sequence


def test_first_then_one_counts_the_time_of_the_first_task_once(cifar_data, tmp_path):
    run = CIFAR.replace(schedule="first, then one")
    runs.train_first_task(run, checkpoints=tmp_path)
    file = tmp_path / f"{run.first_task}.pt"
    saved = checkpoints.load(file)
    saved["place"]["seconds"] = 1e4
    checkpoints.save(file, saved)
    assert 1e4 < execute(run, checkpoints=tmp_path)["seconds"] < 1.5e4


def test_first_then_heads_moves_no_weight_of_the_body_after_the_first_task(cifar_data, tmp_path):
    run = CIFAR.replace(schedule="first, then heads")
    tasks, record = runs.sequence(run), execute(run, checkpoints=tmp_path)
    assert record["accuracy"][-1] == [accuracy_of(alone(run, tasks, 0, 1, 2, body=False), task)
                                      for task in tasks]
    last = checkpoints.load(tmp_path / f"{run.key}.pt")["state"]["network"]
    first = checkpoints.load(tmp_path / f"{run.first_task}.pt")["state"]["network"]
    for name, value in first.items():
        assert torch.equal(value, last[name]) == (not name.startswith(("heads.1", "heads.2")))


@pytest.mark.parametrize("run", [
    CIFAR.replace(correlate=True), protocols.authors(CIFAR).replace(correlate=True),
    CIFAR.replace(schedule="alone"), CIFAR.replace(schedule="first, then one"),
    CIFAR.replace(schedule="first, then heads"),
    protocols.authors(CIFAR).replace(method="shuffled SI"),
    CIFAR.replace(method="joint")], ids=report.label)
def test_every_strategy_that_is_killed_in_any_epoch_goes_on_to_the_same_result(
        cifar_data, tmp_path, run):
    whole, trained = result(run), []

    def stop_once(task, epoch):
        trained.append((task, epoch))
        if len(trained) in (1, 3, 4, 6):
            raise StopError
    for _ in range(5):
        try:
            assert result(run, checkpoints=tmp_path, after_epoch=stop_once) == whole
        except StopError:
            continue
        break
    assert len(trained) <= 6 * 3 + 4


def test_damaged_notes_are_made_again(cifar_data, tmp_path):
    run = CIFAR.replace(correlate=True)
    whole = result(run, checkpoints=tmp_path)
    (tmp_path / f"{run.key}.task1.pt").write_bytes(b"damaged")
    with pytest.warns(RuntimeWarning, match="task1.pt is damaged"):
        assert result(run, checkpoints=tmp_path) == whole


def test_what_a_run_tells_beside_its_accuracy_is_what_it_says(cifar_data):
    run = protocols.authors(CIFAR).replace(correlate=True)
    record, tasks, net = execute(run), runs.sequence(run), runs.network(run)
    si = runs.measure(run, net)
    optimizer = torch.optim.Adam(net.parameters(), lr=run.training.learning_rate, fused=True)
    si.attach(optimizer)
    sums, on_training = [], []

    def note(task):
        sums.append([si.path_integral[f"body.{layer}.weight"].double().sum().item()
                     for layer in (0, 2, 6, 8, 13)])
        on_training.append((net.eval()(tasks[task].x_train.float() / 255, task).argmax(1)
                            == tasks[task].y_train).double().mean().item())
    training.train(net, tasks, optimizer, epochs=2, batch_size=16, measure=si, progress=False,
                   before_consolidate=note)
    assert record["training_accuracy"] == pytest.approx(on_training, abs=1e-6)
    assert list(record["spread"]) == list(record["correlation"]) == [
        f"layer {i}" for i in range(1, 6)]
    for i, (spread, layer) in enumerate(zip(record["spread"].values(), (0, 2, 6, 8, 13),
                                            strict=True)):
        importance = si.importance[f"body.{layer}.weight"].double()
        assert spread["path_integral"] == pytest.approx([task[i] for task in sums], rel=1e-5)
        assert spread["importance"] == pytest.approx(importance.sum().item(), rel=1e-5)
        assert spread["units"] == pytest.approx(importance.flatten(1).sum(1).tolist(), rel=1e-5)
    assert np.shape(record["curve"]) == (3, 2)
    assert [curve[-1] for curve in record["curve"]] == np.diagonal(record["accuracy"]).tolist()


def test_weight_decay_is_decoupled_and_changes_the_training(run_data, monkeypatch):
    asked = []
    monkeypatch.setattr(torch.optim, "AdamW", lambda params, **settings: asked.append(
        settings["weight_decay"]) or torch.optim.Adam(params, lr=settings["lr"]))
    execute(tiny(weight_decay=0.3))
    assert asked == [0.3]


# --------------------------------------------------------------------------------- controls

def test_shuffled_si_protects_as_much_and_not_the_same_weights(run_data):
    def importances(method):
        run = tiny("SI").replace(method=method, tasks=2)
        net, tasks = runs.network(run), runs.sequence(run)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        measure = runs.measure(run, net).attach(optimizer)
        training.train(net, tasks[:1], optimizer, epochs=2, batch_size=8, measure=measure,
                       progress=False)
        return measure.importance

    si, shuffled = importances("SI"), importances("shuffled SI")
    for name in si:
        one, other = si[name].flatten(), shuffled[name].flatten()
        assert torch.equal(one.sort().values, other.sort().values)
        if name == "body.0.weight":
            moved = (one != other)[one > 0].double().mean()
            assert moved > 0.9
