"""A checkpoint is the one that was written, to the last bit, or it is not used."""

import errno
import os
import random
import re

import pytest
import torch

from si_tutorial import checkpoints

CONTENT = {"weights": torch.arange(3000.0), "place": {"round": 2, "rows": [[0.5, 0.25]]},
           "words": ["a", None, True]}


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "run.pt"
    checkpoints.save(file, CONTENT)
    return file


def same(found):
    return (torch.equal(found["weights"], CONTENT["weights"])
            and {k: v for k, v in found.items() if k != "weights"}
            == {k: v for k, v in CONTENT.items() if k != "weights"})


def assert_set_aside(file, content):
    with pytest.warns(RuntimeWarning, match=re.escape(f"{file} is damaged, or no checkpoint")) as w:
        assert checkpoints.load(file) is None
    assert "pickle" not in str(w[0].message) and "weights_only" not in str(w[0].message)
    assert not file.exists()
    assert file.with_name("run.pt.unreadable").read_bytes() == content  # nothing is lost
    assert checkpoints.load(file) is None  # and there is no second warning


def test_what_was_written_comes_back(file):
    assert same(checkpoints.load(file))
    assert [f.name for f in file.parent.iterdir()] == ["run.pt"]


def test_where_there_is_nothing_there_is_nothing(tmp_path):
    assert checkpoints.load(tmp_path / "run.pt") is None


@pytest.mark.parametrize("seed", range(40))
def test_a_file_with_altered_bytes_is_set_aside(file, seed):
    """Forty bytes anywhere, or a single bit."""
    rng, content = random.Random(seed), bytearray(file.read_bytes())
    for place in rng.sample(range(len(content)), 1 if seed % 2 else 40):
        content[place] ^= 1 << rng.randrange(8)
    file.write_bytes(content)
    assert_set_aside(file, bytes(content))


@pytest.mark.parametrize("share", [0, 0.001, 0.02, 0.5, 0.999])
def test_a_truncated_or_empty_file_is_set_aside(file, share):
    content = file.read_bytes()[:int(share * file.stat().st_size)]
    file.write_bytes(content)
    assert_set_aside(file, content)


def foreign(kind):
    if kind == "torch":
        return {"state": torch.zeros(3)}
    return {"text": b"hello\n", "two lines": checkpoints.HEAD + b"0" * 64 + b"\n" + b"x" * 99,
            "newer": b"si-tutorial checkpoint 2 " + b"0" * 64 + b"\nwhat is to come"}[kind]


@pytest.mark.parametrize("kind", ["torch", "text", "two lines", "newer"])
def test_a_foreign_file_is_set_aside(tmp_path, kind):
    file, content = tmp_path / "run.pt", foreign(kind)
    if kind == "torch":
        torch.save(content, file)
        content = file.read_bytes()
    else:
        file.write_bytes(content)
    assert_set_aside(file, content)


def test_a_verified_file_that_this_pytorch_cannot_read_is_set_aside(tmp_path, monkeypatch):
    file = tmp_path / "run.pt"
    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", lambda content, buffer: buffer.write(b"another format"))
        checkpoints.save(file, CONTENT)
    assert_set_aside(file, file.read_bytes())


def test_nothing_but_tensors_and_plain_data_is_ever_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    file = tmp_path / "run.pt"
    checkpoints.save(file, {"evil": Evil()})
    with pytest.warns(RuntimeWarning, match="not used"):
        assert checkpoints.load(file) is None
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_a_full_disk_says_so_and_leaves_what_was_there_and_no_part(file, monkeypatch, fails):
    before = file.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if fails == "write":
        monkeypatch.setattr(checkpoints, "open", lambda name, mode: Full(name, full), raising=False)
    else:
        monkeypatch.setattr(os, fails, full)
    with pytest.raises(OSError, match="No space left on device: no checkpoint could be written"):
        checkpoints.save(file, {"other": 1})
    monkeypatch.undo()
    assert file.read_bytes() == before and same(checkpoints.load(file))
    assert [f.name for f in file.parent.iterdir()] == ["run.pt"]


class Full:
    """A file on a disk that is full."""

    def __init__(self, name, write):
        self.name, self.write = name, write

    def __enter__(self):
        self.name.touch()
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be opened elsewhere")
def test_the_file_and_its_folder_are_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace

    def watched_sync(descriptor):
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        sync(descriptor)

    def watched_replace(*names):
        done.append("name")
        replace(*names)
    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    checkpoints.save(tmp_path / "run.pt", CONTENT)
    assert done == ["file", "folder", "name", "folder"]
