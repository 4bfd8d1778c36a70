"""One penalty for every answer to "which weights matter?": c Σₖ Ωₖ (θ̃ₖ − θₖ)²."""

from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from si_tutorial import formulas
from si_tutorial.importance import guards, selection
from si_tutorial.importance.changes import Changeable, wide
from si_tutorial.importance.hooks import StepHooks
from si_tutorial.importance.normalization import RunningStatistics
from si_tutorial.importance.state import Resumable
from si_tutorial.importance.watch import Watch


class QuadraticPenalty(StepHooks, Changeable, Resumable):
    """Pulls each parameter θₖ back to its anchor θ̃ₖ with force 2cΩₖ(θₖ − θ̃ₖ).

    What all importance measures share. A subclass says how importance is found; this class keeps
    it, and adds the penalty's gradient to the task's inside the optimizer's own step hooks, so
    that a training loop stays the loop everyone knows::

        measure = SomeMeasure(network, strength=1.0).attach(optimizer)
        loss = F.cross_entropy(network(x), y)     # the task loss alone
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()                          # steps on the surrogate loss L + c Σ Ω (θ̃−θ)²

    After the step, `param.grad` is the gradient of the task loss again.

    Parameters
    ----------
    network : torch.nn.Module
        Its trainable parameters are penalised, each once, also where modules share it. Put the
        network on its device and in its dtype first. A parameter that is frozen by then is left
        out and costs no memory. One that you freeze later keeps its importance, its anchor and
        its memory. If the network changes later, say so by `sync_parameters`.
    strength : float
        c ≥ 0. There is no factor ½ in the penalty. An object of strength 0 is an observer: it
        measures and never touches a gradient; any number of them may watch one optimizer.
    protect : names, or a rule, optional
        Which parameters are measured *and* pulled; by default all. Names are those of parameters
        or of modules, as `named_parameters` and `named_modules` give them: "head" means
        "head.weight" and "head.bias". A rule is called as `protect(name, parameter)` and says yes
        or no. The others train freely, and cost no memory.

    Attributes
    ----------
    importance : dict of str to Tensor
        Ω by name of the protected parameters, each tensor of its parameter's shape, in float32 at
        least.
    anchor : dict of str to Tensor
        θ̃, likewise.
    tasks : int
        How many tasks have been consolidated.
    steps : int
        How many optimizer steps this object has seen since the last consolidation.

    Notes
    -----
    What the optimizer sees is what the user's loop leaves in `param.grad`: if gradients are
    clipped or accumulated before `optimizer.step()`, the clipped or accumulated gradient counts
    as the task's, and the penalty's gradient is added to it unclipped. With `maximize=True` the
    objective is taken as −L, and the penalty is subtracted from it.

    An unknown name in `protect` raises ValueError with names that are near, and so does a choice
    that leaves nothing to protect.

    A copy, by `copy.deepcopy`, `pickle` or `torch.save`, belongs to the copy of the network that
    is made along with it, and is attached to nothing: its `optimizer` is None until `attach`.
    """

    # what is kept for each parameter, and how it begins
    _tensor_fields: ClassVar[dict] = {"importance": torch.zeros_like, "anchor": torch.clone}
    _needs_every_step = False  # whether any change of the weights outside a step makes Ω wrong

    def __init__(self, network: nn.Module, *, strength: float = 1.0,
                 protect: selection.Protect = None):
        self._strength = guards.at_least_zero("strength", strength)
        self._network = network
        self._protect = selection.frozen_form(protect)
        if isinstance(self._protect, tuple):
            selection.check_names(network, self._protect, "protect")
        self._params = {name: p for name, p in selection.chosen(network, self._protect).items()
                        if p.requires_grad}
        guards.check_parameters(network, self._params)

        self.importance = self._like(torch.zeros_like)  # Ω: curvature, in loss per θ²
        self.anchor = self._like(torch.clone)           # θ̃: where the last task left θ (a copy)
        self.tasks = 0
        self.steps = 0
        self._built = guards.places(self._params)
        self._left_out = self._frozen()
        self._watch = Watch(self._params, every_step=self._needs_every_step, penalises=strength > 0)
        self._statistics = RunningStatistics(network)
        self._allocate()
        self._sign = 1
        self._written: list = []        # each Ω and its version when they were last looked at
        self._protects = False          # whether any of them differed from zero then

    def penalty(self) -> Tensor:
        """c Σ Ω (θ̃ − θ)² as a scalar, in units of the loss.

        An attached object adds the penalty's gradient by itself, in each step. Its `penalty()` is
        for looking at: it has no graph, and added to a loss it changes nothing. Of an object that
        is not attached it is differentiable: add it to the loss in a loop that steps without an
        optimizer's hooks, such as `step(closure)`. There it raises RuntimeError if the network has
        changed since `sync_parameters`.
        """
        if self._optimizer is None:
            self._check_network()
        with torch.set_grad_enabled(torch.is_grad_enabled() and self._optimizer is None):
            total = sum(formulas.penalty(self.importance[name], self.anchor[name], p, self.strength)
                        for name, p in self._params.items())
        if total.requires_grad:
            total.register_hook(self._in_loss)
        return total

    def _in_loss(self, _):
        self._watch.in_loss = True

    # -------------------------------------------------------------------------- a task's end

    @torch.no_grad()
    def _begin_consolidation(self):
        """Before a subclass measures: refuse what would be measured, or was protected, wrongly."""
        self._check_network()
        self._watch.check_before_consolidating(self._optimizer, self._when(), steps=self.steps,
                                               protects=self.tasks > 0)
        if self.strength > 0:
            self._statistics.warn_if_changed()

    @torch.no_grad()
    def _end_task(self, importance: Mapping[str, Tensor], anchor: Mapping[str, Tensor]) -> Self:
        """Copy Ω and θ̃ for the next task, if they are finite. Returns self."""
        self._check_finite("the value", anchor)
        self._check_finite("the importance", importance)
        for name in self._params:
            self.importance[name].copy_(importance[name])
            self.anchor[name].copy_(anchor[name])
        self.tasks += 1
        self.steps = 0
        self._watch.look()
        self._statistics.look()
        return self

    def _protects_anything(self) -> bool:
        """Whether any Ω differs from zero; looked at again only after one was written to."""
        written = [(id(importance), importance._version) for importance in self.importance.values()]
        if written != self._written:
            self._written = written
            self._stable_rates = ()
            self._protects = any(bool(importance.any()) for importance in self.importance.values())
        return self._protects

    def load_state_dict(self, state: Mapping) -> None:
        super().load_state_dict(state)
        self._statistics.forget()

    def _check_finite(self, what: str, values: Mapping[str, Tensor]):
        guards.check_finite(what, values, self._when())

    def _when(self) -> str:
        return f"after {guards.counted(self.steps, 'step')} of task {self.tasks + 1}"

    def _like(self, make) -> dict[str, Tensor]:
        """Tensors like the parameters, in float32 at least."""
        return {name: make(wide(p)) for name, p in self._params.items()}
