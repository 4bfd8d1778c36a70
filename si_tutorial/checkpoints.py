"""Files that hold a run's state: whole or absent when written, verified when read."""

import io
import os
import warnings
from hashlib import sha256
from pathlib import Path

import torch

HEAD = b"si-tutorial checkpoint 1 "  # then the SHA-256 of what follows this line


def save(file: Path, content: dict) -> None:
    """Write `content`, tensors and plain data, so that a kill leaves the old file or the new one.

    Raises OSError, and leaves nothing behind, where it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data, part = buffer.getbuffer(), Path(f"{file}.part")
    try:
        with open(part, "wb") as f:
            f.write(HEAD + sha256(data).hexdigest().encode() + b"\n")
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        _sync_folder(part.parent)
        os.replace(part, file)
        _sync_folder(part.parent)
    except OSError as why:
        raise OSError(why.errno, f"{why.strerror}: no checkpoint could be written. Make room, or "
                      "choose another folder, and give the same command again. What was saved "
                      "before is still there", str(file)) from why
    finally:
        part.unlink(missing_ok=True)


def load(file: Path) -> dict | None:
    """What `save` has written; None if there is no such file.

    A file that is not what was written, to the last bit, is never used: it is set aside under
    another name, with a RuntimeWarning, and counts as not there.
    """
    if not file.exists():
        return None
    head, _, data = file.read_bytes().partition(b"\n")
    if head == HEAD + sha256(data).hexdigest().encode():
        try:
            return torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
        except Exception:  # whole, and of another PyTorch's format: one fails as it happens to
            pass
    aside = file.with_name(f"{file.name}.unreadable")
    os.replace(file, aside)
    warnings.warn(f"{file} is damaged, or no checkpoint that this version can read. It is kept as "
                  f"{aside.name} and not used: what it held is computed again",
                  RuntimeWarning, stacklevel=2)
    return None


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
