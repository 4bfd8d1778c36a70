"""Stop and resume: what a measure puts into its `state_dict`, and what it takes from one."""

import warnings
from collections.abc import Mapping
from typing import ClassVar

from si_tutorial.importance.watch import Watch

VERSION = 1  # of a state's layout; 0, without the field: no measure's name, settings, generators


class Resumable:
    """What training changes in an object, to save and to load; a measure names its own fields."""

    _tensor_fields: ClassVar[dict] = {}   # attributes that map parameter names to tensors
    _settings: tuple[str, ...] = ()       # attributes that decide what those tensors mean
    _generators: tuple[str, ...] = ()     # attributes that hold a torch.Generator, or None
    tasks: int
    steps: int
    _watch: Watch

    def state_dict(self) -> dict:
        """A copy of everything that training changes, for `torch.save`.

        Strength and the like are not in it: build the object as before, then load.
        """
        state: dict = {"version": VERSION, "measure": type(self).__name__, "tasks": self.tasks,
                       "steps": self.steps, "weights": self._watch.state()}
        for name in self._settings:
            state[name] = getattr(self, name)
        for name in self._generators:
            generator = getattr(self, name)
            state[name] = None if generator is None else generator.get_state()
        for field in self._tensor_fields:
            state[field] = {name: t.clone() for name, t in getattr(self, field).items()}
        return state

    def load_state_dict(self, state: Mapping) -> None:
        """Take over what `state_dict` returned; training then goes on with the same bits.

        Load the network's state too, before the next step. A state from before states had a
        version does not say which measure it belongs to: it is loaded, with a warning, if its
        tensors fit, and a generator is left where it is.

        Raises ValueError, and changes nothing, if it is the state of another measure, of one
        built with other `anchors` or without its generator, or of another network.
        """
        version = state.get("version", 0)
        if version > VERSION:
            raise ValueError(f"this state has version {version}, and this si_tutorial reads "
                             f"versions up to {VERSION}: use the one that saved it, or a newer one")
        self._check_fields(state, version)
        self._check_tensors(state)
        for field in self._tensor_fields:
            for name, tensor in getattr(self, field).items():
                tensor.copy_(state[field][name])
        self.tasks, self.steps = state["tasks"], state["steps"]
        self._watch.resume(state.get("weights", {}))
        if version == 0:
            warnings.warn("this state is from before states named their measure: it is taken for "
                          f"a {type(self).__name__}'s, and sets no generator", UserWarning,
                          stacklevel=2)
            return
        for name in self._generators:
            if state[name] is not None:
                getattr(self, name).set_state(state[name].cpu())

    def _check_fields(self, state: Mapping, version: int):
        """The fields must be this measure's, and so must be what decides on their meaning."""
        mine = type(self).__name__
        own = {"measure": mine} | {name: getattr(self, name) for name in self._settings}
        expected = {"tasks", "steps", *self._tensor_fields}
        if version > 0:
            expected |= {"version", "weights", *own, *self._generators}
        if state.keys() != expected:
            raise ValueError(f"this is not the state of a {mine}: expected the fields "
                             f"{sorted(expected)}, got {sorted(state)}")
        for name in own if version > 0 else ():
            if state[name] != own[name]:
                raise ValueError(f"this is not the state of this {mine}: it has {name} "
                                 f"{state[name]!r}, not {own[name]!r}; build the object as before")
        for name in self._generators if version > 0 else ():
            if (state[name] is None) != (getattr(self, name) is None):
                had = "without" if state[name] is None else "with"
                raise ValueError(f"this state was saved {had} a {name}: build the object as before")

    def _check_tensors(self, state: Mapping):
        for field in self._tensor_fields:
            mine = {name: tuple(t.shape) for name, t in getattr(self, field).items()}
            given = {name: tuple(t.shape) for name, t in state[field].items()}
            if mine != given:
                raise ValueError(
                    f"{field} does not fit this network; differing entries: "
                    f"{sorted(dict(mine.items() ^ given.items()))}. Build the network and the "
                    "measure as they were when the state was saved, with the same heads, protect= "
                    "and frozen layers, and load it. Then change the network, and call "
                    "sync_parameters()")
