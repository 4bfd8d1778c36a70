import collections
import operator
from dataclasses import replace

import pytest
import torch

from si_tutorial.tasks import permute_pixels, split_classes


def as_set(x, y):
    """Each example as bytes with its label; no two images of the data are alike."""
    return {(image.numpy().tobytes(), label) for image, label in zip(x, y.tolist(), strict=True)}


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10, 20])
def test_a_split_partitions_the_data(data, part, classes):
    tasks = split_classes(data, classes, labels="global")
    parts = [as_set(getattr(t, f"x_{part}"), getattr(t, f"y_{part}")) for t in tasks]
    whole = as_set(getattr(data, f"x_{part}"), getattr(data, f"y_{part}"))
    assert sum(map(len, parts)) == len(whole)
    assert set.union(*parts) == whole


@pytest.mark.parametrize(("classes", "groups"), [
    (2, [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]),
    (4, [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]),  # the last task takes what is left
    ([[7, 2], [0]], [(7, 2), (0,)])])
def test_each_task_holds_the_classes_it_was_given_in_their_order(data, classes, groups):
    local = split_classes(data, classes)
    across = split_classes(data, classes, labels="global")
    for index, (mine, theirs, group) in enumerate(zip(local, across, groups, strict=True)):
        assert mine.index == operator.index(mine) == index
        assert mine.name == " or ".join(map(str, group))
        assert mine.classes == tuple(range(len(group))) and theirs.classes == group
        for part in ("train", "test"):
            x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
            kept = torch.tensor([label in group for label in y.tolist()])
            assert torch.equal(getattr(mine, f"x_{part}"), x[kept])
            assert torch.equal(getattr(theirs, f"y_{part}"), y[kept])
            place = torch.tensor([group.index(label) for label in y[kept].tolist()])
            assert torch.equal(getattr(mine, f"y_{part}"), place)


def test_labels_that_are_no_run_of_numbers_are_split_in_their_order(data):
    odd = replace(data, y_train=3 * data.y_train + 5, y_test=3 * data.y_test + 5)
    tasks = split_classes(odd, 5)
    assert [t.name for t in tasks] == ["5 or 8 or 11 or 14 or 17", "20 or 23 or 26 or 29 or 32"]
    assert all(t.y_train.unique().tolist() == [0, 1, 2, 3, 4] for t in tasks)


@pytest.mark.parametrize(("classes", "labels", "message"), [
    ([[0, 1], [1, 2]], "within_task", r"named once .* got \[\(0, 1\), \(1, 2\)\]"),
    ([[0, 0]], "within_task", "named once"), ([[0, 11]], "within_task", "occur in tiny"),
    ([[0], []], "within_task", "named once"), (0, "within_task", "at least 1, got 0"),
    (-2, "within_task", "at least 1, got -2"), (2, "local", "got 'local'")])
def test_a_split_that_cannot_be_is_refused_with_its_value(data, classes, labels, message):
    with pytest.raises(ValueError, match=message):
        split_classes(data, classes, labels=labels)


# ------------------------------------------------------------------------------ permutations

def test_a_permutation_is_a_bijection_and_each_task_has_its_own(data):
    tasks = permute_pixels(data, 6)
    assert tasks[0].pixels is None
    for task in tasks[1:]:
        assert sorted(task.pixels.tolist()) == list(range(36))
    assert len({tuple(t.pixels.tolist()) for t in tasks[1:]}) == 5
    assert [operator.index(t) for t in tasks] == list(range(6))
    assert all(t.classes == tuple(range(10)) for t in tasks)


def test_permuted_tasks_share_the_memory_of_the_images(data):
    for task in permute_pixels(data, 3):
        assert task.x_train.data_ptr() == data.x_train.data_ptr()
        assert task.x_test.data_ptr() == data.x_test.data_ptr()


def test_pixels_are_shown_in_the_tasks_order_and_the_first_tasks_in_place(data):
    for task in permute_pixels(data, 3):
        shown = torch.cat([x for x, _ in task.test_batches(7)])
        assert shown.shape == data.x_test.shape
        order = torch.arange(36) if task.pixels is None else task.pixels
        expected = torch.stack([image.flatten()[order] for image in data.x_test]) / 255
        assert torch.equal(shown.flatten(1), expected)


def test_channels_are_permuted_with_the_pixels(data):
    colour = replace(data, x_train=data.x_train.repeat(1, 3, 1, 1),
                     x_test=data.x_test.repeat(1, 3, 1, 1))
    task = permute_pixels(colour, 2)[1]
    assert sorted(task.pixels.tolist()) == list(range(108))
    x, _ = next(task.test_batches())
    assert x.shape == (50, 3, 6, 6)
    assert torch.equal(x.flatten(1).sort().values,
                       (colour.x_test.flatten(1) / 255).sort().values)


def test_training_and_test_images_are_permuted_alike(data):
    same = replace(data, x_test=data.x_train, y_test=data.y_train)
    task = permute_pixels(same, 2)[1]
    train = {(x.numpy().tobytes(), y) for xs, ys in task.batches(16)
             for x, y in zip(xs, ys.tolist(), strict=True)}
    test = {(x.numpy().tobytes(), y) for xs, ys in task.test_batches(16)
            for x, y in zip(xs, ys.tolist(), strict=True)}
    assert train == test


def test_the_seed_alone_decides_the_permutations(data):
    def orders(seed):
        return [t.pixels.tolist() for t in permute_pixels(data, 3, seed=seed)[1:]]
    first = orders(1)
    torch.manual_seed(99)
    assert orders(1) == first
    assert orders(2) != first
    assert [t.pixels.tolist() for t in permute_pixels(data, 5, seed=1)[1:3]] == first


def test_global_labels_make_each_permutations_digits_classes_of_their_own(data):
    own, across = permute_pixels(data, 3), permute_pixels(data, 3, labels="global")
    for index, (mine, theirs) in enumerate(zip(own, across, strict=True)):
        assert torch.equal(mine.y_train, data.y_train) and torch.equal(mine.y_test, data.y_test)
        assert torch.equal(theirs.y_train, data.y_train + 10 * index)
        assert torch.equal(theirs.y_test, data.y_test + 10 * index)
        assert theirs.classes == tuple(range(10 * index, 10 * index + 10))
        assert (mine.pixels is None) == (theirs.pixels is None) == (index == 0)
        assert index == 0 or torch.equal(mine.pixels, theirs.pixels)
        assert theirs.x_train.data_ptr() == data.x_train.data_ptr()


def test_global_labels_of_an_odd_numbering_stay_apart(data):
    odd = replace(data, y_train=5 * data.y_train, y_test=5 * data.y_test)
    tasks = permute_pixels(odd, 3, labels="global")
    assert len(set.union(*(set(task.y_train.tolist()) for task in tasks))) == 30
    assert all(set(task.y_train.tolist()) == set(task.classes) for task in tasks)


def test_other_labels_are_refused(data):
    with pytest.raises(ValueError, match="'within_task' or 'global', got 'local'"):
        permute_pixels(data, 2, labels="local")


@pytest.mark.parametrize("tasks", [0, -1])
def test_no_tasks_are_refused(data, tasks):
    with pytest.raises(ValueError, match=f"at least 1, got {tasks}"):
        permute_pixels(data, tasks)


# ----------------------------------------------------------------------------------- batches

@pytest.mark.parametrize("size", [1, 7, 60, 1000])
def test_an_epoch_shows_each_example_once_with_its_label(data, size):
    task = split_classes(data, 5)[1]
    batches = list(task.batches(size))
    assert [len(y) for _, y in batches[:-1]] == [size] * (len(batches) - 1)
    seen = collections.Counter()
    for x, y in batches:
        seen.update(as_set((x * 255).round().to(torch.uint8), y))
    assert seen == collections.Counter(as_set(task.x_train, task.y_train))
    assert set(seen.values()) == {1}


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_test_set_comes_in_its_own_order(data, size):
    task = split_classes(data, 5)[1]
    x, y = (torch.cat(parts) for parts in zip(*task.test_batches(size), strict=True))
    assert torch.equal(x, task.x_test / 255)
    assert torch.equal(y, task.y_test)


def test_images_become_floats_from_zero_to_one_and_the_stored_ones_stay_as_they_are(data):
    task = split_classes(data, 10)[0]
    before = task.x_train.clone()
    for x, y in (*task.batches(50), *task.test_batches()):
        assert x.dtype == torch.float32 and y.dtype == torch.int64
        assert x.min() >= 0 and x.max() == 1
    assert task.x_train.dtype == torch.uint8 and torch.equal(task.x_train, before)


def as_floats(data, dtype=torch.float32):
    """The same images, divided by 255 beforehand."""
    return replace(data, x_train=data.x_train.to(dtype) / 255, x_test=data.x_test.to(dtype) / 255)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", [split_classes, permute_pixels])
def test_floats_from_zero_to_one_mean_what_they_say(data, make, dtype):
    for bytes_task, float_task in zip(make(data), make(as_floats(data, dtype)), strict=True):
        for one, other in zip(bytes_task.test_batches(), float_task.test_batches(), strict=True):
            assert other[0].dtype == torch.float32
            torch.testing.assert_close(*(x for x, _ in (one, other)), rtol=0, atol=1e-7)


@pytest.mark.parametrize("make", [split_classes, permute_pixels])
@pytest.mark.parametrize("form", [lambda data: data, as_floats])
def test_nothing_that_was_handed_in_is_ever_changed(data, make, form):
    """Not by showing it, however often, nor by whoever writes to what was shown."""
    data = form(data)
    kept = [data.x_train.clone(), data.x_test.clone()]
    for _ in range(2):
        for task in make(data):
            for x, _ in (*task.test_batches(7), *task.batches(7)):
                assert x.max() <= 1
                x.mul_(0.5)
    assert torch.equal(data.x_train, kept[0]) and torch.equal(data.x_test, kept[1])


@pytest.mark.parametrize("part", ["x_train", "x_test"])
@pytest.mark.parametrize(("change", "error", "message"), [
    (lambda x: x.float(), ValueError, "float32 with values from 0 to 255.*x / 255"),
    (lambda x: x / 255 - 0.5, ValueError, "float32 with values from -0.5 to 0.5"),
    (lambda x: x / 255 * float("nan"), ValueError, "float32 with values from nan"),
    (lambda x: x.short(), TypeError, "int16.*must be uint8"),
    (lambda x: x.long(), TypeError, "int64.*must be uint8"),
    (lambda x: x > 0, TypeError, "bool.*must be uint8"),
    (lambda x: x.to(torch.complex64), TypeError, "complex64.*must be uint8")],
    ids=["0 to 255", "centred", "nan", "int16", "int64", "bool", "complex"])
@pytest.mark.parametrize("make", [split_classes, permute_pixels])
def test_images_that_could_mean_two_things_are_refused(data, make, part, change, error, message):
    with pytest.raises(error, match=f"{part} is torch.{message}"):
        make(replace(data, **{part: change(getattr(data, part))}))


@pytest.mark.parametrize("change", [lambda x: x.float().to(torch.uint8), lambda x: x.float() / 255])
def test_what_the_message_advises_is_accepted(data, change):
    split_classes(replace(data, x_train=change(data.x_train), x_test=change(data.x_test)))


def test_the_generator_alone_fixes_the_order_and_moves_on_with_each_epoch(data):
    task = split_classes(data, 10)[0]

    def epochs(seed):
        generator = torch.Generator().manual_seed(seed)
        return [torch.cat([y for _, y in task.batches(9, generator=generator)]).tolist()
                for _ in range(2)]
    first = epochs(0)
    torch.manual_seed(5)
    assert epochs(0) == first
    assert first[0] != first[1] and epochs(1)[0] != first[0]


def test_without_a_generator_the_global_one_fixes_the_order(data):
    task = split_classes(data, 10)[0]
    orders = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        orders.append(torch.cat([y for _, y in task.batches(9)]).tolist())
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_of_nothing_is_refused(data, size):
    task = split_classes(data, 10)[0]
    for batches in (task.batches, task.test_batches):
        with pytest.raises(ValueError, match=f"at least 1, got {size}"):
            next(batches(size))


def test_a_task_says_which_head_reads_it_out(data, conv):
    x = torch.rand(2, 1, 6, 6, dtype=torch.float64)
    network = conv([2] * 5)
    for task in split_classes(data, 2):
        assert torch.equal(network(x, task), network(x, task.index))


# ------------------------------------------------------------------------------- other devices

TENSORS = ("x_train", "y_train", "x_test", "y_test", "pixels")


@pytest.mark.parametrize("which", [0, 1])
def test_a_task_moves_to_another_device_with_all_it_holds(data, which):
    """The meta device stands in for an accelerator: it has shapes and no memory."""
    task = permute_pixels(data, 2)[which]
    moved = task.to("meta")
    for name in TENSORS:
        mine, theirs = getattr(task, name), getattr(moved, name)
        if mine is None:
            assert theirs is None and which == 0
        else:
            assert theirs.device.type == "meta" and mine.device.type == "cpu"
            assert theirs.shape == mine.shape and theirs.dtype == mine.dtype
    assert (moved.index, moved.name, moved.classes) == (task.index, task.name, task.classes)


def test_a_task_that_is_there_already_is_not_copied(data):
    task = permute_pixels(data, 2)[1]
    moved = task.to("cpu")
    assert all(getattr(moved, name) is getattr(task, name) for name in TENSORS)
