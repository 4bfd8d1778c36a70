"""What other libraries call strength, and the `strength` here that gives the same penalty.

Read off their public source code; `conventions.jsonl` says of which version. A penalty there is
factor · λ Σ I (θ − θ̃)², with I what the library calls importance. Where it multiplies the penalty
by the decay γ of online EWC as well, `times_decay` is true.
"""

import importlib.resources
import json
from typing import NamedTuple


class Convention(NamedTuple):
    library: str
    seen: str                # the version, commit or date that was read
    method: str
    factor: float            # in front of the library's strength
    times_decay: bool        # whether the penalty has the decay γ as a factor too
    same_importance: bool    # whether the library's I is what this package measures
    importance: str          # how the library measures it

    def strength_here(self, strength: float, *, decay: float | None = None) -> float:
        """The package's strength for the same penalty, where the importances agree.

        The package's EWC keeps F/2 as its importance, its other methods what the papers define.
        """
        halves = 2.0 if "EWC" in self.method else 1.0
        if not self.times_decay:
            return strength * self.factor * halves
        if decay is None:
            raise ValueError(f"{self.library} multiplies the penalty of {self.method} by its decay "
                             "γ: give it, decay=")
        return strength * self.factor * halves * decay


def conventions() -> list[Convention]:
    """All rows of the file, in its order."""
    text = (importlib.resources.files("si_tutorial") / "conventions.jsonl").read_text("utf-8")
    return [Convention(**json.loads(line)) for line in text.splitlines()]
