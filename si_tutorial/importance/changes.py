"""A network that changes between two tasks: what its measure keeps, forgets and begins anew."""

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from si_tutorial.importance import guards, selection
from si_tutorial.importance.watch import Watch


class Changes(NamedTuple):
    """What `sync_parameters` has found, by parameter name."""

    added: tuple[str, ...]      # Ω = 0, anchored where they stand
    removed: tuple[str, ...]    # their Ω and anchor are forgotten
    resized: tuple[str, ...]    # more rows: the old ones kept, the new ones like `added`
    renamed: dict[str, str]     # old name → new name of a parameter that is still the same object


class Changeable:
    """The part of a `QuadraticPenalty` that knows which parameters it measures."""

    steps: int
    _strength: float
    _network: nn.Module
    _protect: selection.Protect
    _params: dict[str, nn.Parameter]
    _left_out: list[nn.Parameter]  # meant, but frozen
    _built: dict[str, tuple[torch.dtype, torch.device]]
    _tensor_fields: ClassVar[dict[str, Callable[[Tensor], Tensor]]]
    importance: dict[str, Tensor]
    _task_grads: dict | None
    _watch: Watch

    def sync_parameters(self, fresh: Iterable[str] = ()) -> Changes:
        """Follow a network that has changed, directly after `consolidate`, attached or not::

            si.consolidate()
            bigger = nn.Linear(64, 15)                  # ten classes become fifteen
            with torch.no_grad():
                bigger.weight[:10] = network.head.weight
                bigger.bias[:10] = network.head.bias
            network.head = bigger
            si.sync_parameters()                        # resized: head.weight, head.bias
            optimizer.add_param_group({"params": bigger.parameters()})

        A parameter that was added, or is no longer frozen, gets Ω = 0 and is anchored where it
        stands. One that was removed is forgotten. One whose first axis has grown keeps Ω and
        anchor of its leading rows. One that goes by another name now keeps everything, and so does
        one that was measured and has been frozen since. The optimizer is left alone: hand the new
        parameters to it, or attach to a new one.

        Parameters
        ----------
        fresh : names of parameters, or of modules, that shall begin anew
            Ω = 0, anchored where they stand, whatever they had before: a new head under an old
            name, or one that was started again in place.

        Returns
        -------
        Changes
            The names of what was added, removed, resized, renamed. What is in `fresh` and was
            known before counts as removed and added.

        Raises
        ------
        RuntimeError
            If this task has been trained on already, or a step was interrupted. If a parameter was
            replaced or has grown, and its values, or its leading rows, are not bit for bit those
            that were last seen: then they are another parameter's, and must not inherit. Nothing
            is changed then.
        ValueError
            If a name in `fresh` is unknown, or nothing is left to protect; likewise.
        """
        if self.steps > 0 or self._task_grads is not None:
            raise RuntimeError(
                "sync_parameters() belongs between two tasks, and this one is under way "
                f"({guards.counted(self.steps, 'step')} seen): call it directly after "
                "consolidate(). After an interrupted step call detach() first")
        sources = self._sources((fresh,) if isinstance(fresh, str) else tuple(fresh))
        present = dict(self._network.named_parameters())
        params = {name: present[name] for name in sources}
        guards.check_parameters(self._network, params)
        changes = self._compare(sources, params)
        tensors = {field: {name: self._carried(field, make, sources[name], p)
                           for name, p in params.items()}
                   for field, make in self._tensor_fields.items()}
        for field, by_name in tensors.items():
            setattr(self, field, by_name)
        self._watch.follow(params, {name: source for name, source in sources.items()
                                    if source is not None and name not in changes.resized})
        self._params = params
        self._built = guards.places(params)
        self._allocate()
        self._left_out = self._frozen()
        return changes

    def _sources(self, fresh: tuple[str, ...]) -> dict[str, str | None]:
        """The parameters to measure from now on, and what each was called before, if it was."""
        selection.check_names(self._network, fresh, "fresh")
        anew = selection.chosen(self._network, fresh)
        meant = selection.chosen(self._network, self._protect)
        former = {p: name for name, p in self._params.items()}
        present = dict(self._network.named_parameters())
        gone = self._params.keys() - {former[p] for p in present.values() if p in former}
        sources: dict[str, str | None] = {}
        for name, p in present.items():
            source = former.get(p, name if name in gone else None)
            if source is not None and name not in anew:
                self._check_kept(name, source, p)
                sources[name] = source
            elif name in meant and p.requires_grad:
                sources[name] = None
        return sources

    def _check_kept(self, name: str, source: str, p: nn.Parameter):
        """A parameter inherits only if it is the one that was there before."""
        old = self.importance[source].shape
        grown = p.ndim > 0 and p.ndim == len(old) and p.shape[1:] == old[1:] and len(p) > old[0]
        remedy = f"or, if it is another parameter, name it in fresh=[{name!r}]"
        if p.shape != old and not grown:
            raise RuntimeError(
                f"parameter {name!r} has shape {tuple(p.shape)} now and had {tuple(old)}: only its "
                f"first axis may grow, at the end. Put the old rows first, {remedy}")
        guards.check_place({name: p}, {name: self._built[source]})
        if not grown and p is self._params[source]:
            return  # whoever has written to it is told where that matters: see Watch
        if not self._watch.saw(source, p[:old[0]] if grown else p):
            what = (f"has grown from {old[0]} to {len(p)} rows, and its first {old[0]} are" if grown
                    else "was replaced, and its values are")
            raise RuntimeError(
                f"parameter {name!r} {what} not bit for bit those that this object last saw, "
                f"when the task ended: copy the old rows, in their old order, {remedy}")

    def _compare(self, sources: Mapping[str, str | None], params: Mapping[str, nn.Parameter]
                 ) -> Changes:
        kept = set(sources.values())
        return Changes(
            added=tuple(name for name, source in sources.items() if source is None),
            removed=tuple(name for name in self._params if name not in kept),
            resized=tuple(name for name, source in sources.items()
                          if source is not None
                          and params[name].shape != self.importance[source].shape),
            renamed={source: name for name, source in sources.items()
                     if source is not None and source != name})

    @torch.no_grad()
    def _carried(self, field: str, make: Callable, source: str | None, p: nn.Parameter) -> Tensor:
        """One of the measure's tensors for `p`: as it was, with new rows, or new."""
        if source is None:
            return make(wide(p))
        before = getattr(self, field)[source]
        if before.shape == p.shape:
            return before
        after = make(wide(p))
        after[:len(before)] = before
        return after

    def _frozen(self) -> list[nn.Parameter]:
        return [p for name, p in selection.chosen(self._network, self._protect).items()
                if name not in self._params]

    def _check_network(self):
        guards.check_same(self._network, self._params,
                          selection.chosen(self._network, self._protect), self.importance)
        guards.check_place(self._params, self._built)

    def _allocate(self):
        """Room for the work of one step."""
        self._surrogate_grad = {name: torch.empty_like(p.detach()) for name, p in
                                self._params.items()} if self._strength > 0 else {}


def wide(p: nn.Parameter) -> Tensor:
    """`p` in float32 at least: sums in bfloat16 stop growing."""
    return p.detach().to(torch.promote_types(p.dtype, torch.float32))
