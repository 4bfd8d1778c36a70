"""One penalty for every answer to "which weights matter?": c Σₖ Ωₖ (θ̃ₖ − θₖ)²."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from si_tutorial import formulas
from si_tutorial.importance import guards


class QuadraticPenalty:
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
        Its parameters are penalised, each once, also where modules share it. Put the network on
        its device and in its dtype first.
    strength : float
        c ≥ 0. There is no factor ½ in the penalty. An object of strength 0 is an observer: it
        measures and never touches a gradient; any number of them may watch one optimizer.

    Attributes
    ----------
    importance, anchor : dict of str to Tensor
        Ω and θ̃ by parameter name, each tensor of its parameter's shape.
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
    """

    def __init__(self, network: nn.Module, *, strength: float = 1.0):
        self._strength = guards.at_least_zero("strength", strength)
        self._network = network
        self._params = dict(network.named_parameters())
        guards.check_parameters(network, self._params)

        self.importance = self._like(torch.zeros_like)  # Ω: curvature, in loss per θ²
        self.anchor = self._like(torch.clone)           # θ̃: where the last task left θ (a copy)
        self.tasks = 0
        self.steps = 0
        self._surrogate_grad = self._like(torch.empty_like) if strength > 0 else {}
        self._task_grads: dict | None = None  # name → g during optimizer.step(), None outside
        self._sign = 1              # −1 while the optimizer maximises
        self._optimizer: torch.optim.Optimizer | None = None
        self._handles: tuple = ()
        self._stable_rates: tuple = ()  # each group's largest rate checked against Ω so far
        self._written: list = []        # each Ω and its version when they were last looked at
        self._protects = False          # whether any of them differed from zero then

    @property
    def strength(self) -> float:
        """c, as given at construction."""
        return self._strength

    @property
    def optimizer(self) -> torch.optim.Optimizer | None:
        """The optimizer this object is attached to, None if it is not."""
        return self._optimizer

    def penalty(self) -> Tensor:
        """c Σ Ω (θ̃ − θ)² as a differentiable scalar, in units of the loss.

        For looking at, or for other loops: an attached object adds the gradient by itself.
        """
        return sum(formulas.penalty(self.importance[name], self.anchor[name], p, self.strength)
                   for name, p in self._params.items())

    # ---------------------------------------------------------------- the optimizer's two hooks

    def attach(self, optimizer: torch.optim.Optimizer) -> Self:
        """Act in every `optimizer.step()` from now on. Returns self.

        Raises
        ------
        TypeError
            For LBFGS, which evaluates the loss by itself several times a step.
        ValueError
            If the optimizer holds none of the network's parameters.
        RuntimeError
            If this object is attached already, or the optimizer has a penalty already: the
            second would take the first's penalty for a part of the task's gradient.
        """
        if self._optimizer is not None:
            raise RuntimeError("already attached to an optimizer: call detach() first")
        guards.check_same(self._network, self._params)
        guards.check_optimizer(optimizer, self._params)
        owner = getattr(optimizer, "_penalised_by", None)
        if self.strength > 0 and owner is not None:
            raise RuntimeError(f"this optimizer already carries the penalty of a "
                               f"{type(owner).__name__}: detach() that one first, or give this "
                               "one strength=0 to let it only observe")
        self._optimizer = optimizer
        self._stable_rates = ()
        self._register()
        if self.strength > 0:
            optimizer._penalised_by = self  # type: ignore[attr-defined]
        elif owner is not None:
            owner._register()  # hooks run in order; the one that changes p.grad must come last
        return self

    def detach(self) -> Self:
        """Stop acting on the optimizer; also the way out after a step that was interrupted."""
        if self._task_grads is not None:
            self._put_back()
        for handle in self._handles:
            handle.remove()
        if getattr(self._optimizer, "_penalised_by", None) is self:
            del self._optimizer._penalised_by
        self._optimizer, self._handles = None, ()
        return self

    def _register(self):
        for handle in self._handles:
            handle.remove()
        self._handles = (self._optimizer.register_step_pre_hook(self._pre_hook),
                         self._optimizer.register_step_post_hook(self._post_hook))

    @torch.no_grad()
    def _pre_hook(self, optimizer, args, kwargs):
        self._check_step(optimizer, args, kwargs)
        task_grads = {n: p.grad for n, p in self._params.items() if p.grad is not None}
        guards.check_gradients(task_grads, self._params, self.anchor)
        self._sign = -1 if guards.maximizes(optimizer) else 1
        if self.steps == self.tasks == 0:
            self._start_here()
        if self.strength > 0:
            self._stable_rates = guards.warn_if_stiff(
                optimizer, self._params, self.importance, self.strength, self._stable_rates)
        self._task_grads = task_grads
        self._before_step()
        if self.strength > 0:
            self._add_pull()

    @torch.no_grad()
    def _post_hook(self, optimizer, args, kwargs):
        self._after_step()
        self._put_back()
        self.steps += 1

    def _add_pull(self):
        """Show the optimizer g + 2cΩ(θ − θ̃) in place of g, which it must not write to."""
        factor = 2 * self.strength * self._sign
        protects = self._protects_anything()
        for name, task_grad in self._task_grads.items():
            p, total = self._params[name], self._surrogate_grad[name]
            if protects:
                torch.sub(p, self.anchor[name], out=total)
                torch.addcmul(task_grad, self.importance[name], total, value=factor, out=total)
            else:
                total.copy_(task_grad)
            p.grad = total

    def _check_step(self, optimizer, args, kwargs):
        guards.check_step(optimizer, args, kwargs, running=self._task_grads is not None)

    def _before_step(self):
        """For a subclass: look at `self._task_grads` and the weights that the step starts from."""

    def _after_step(self):
        """For a subclass: look at the weights that the step has led to."""

    def _start_here(self):
        """Anchor the first task at its first step: weights may have been loaded until then."""
        if not self._protects_anything():
            for name, p in self._params.items():
                self.anchor[name].copy_(p)

    def _protects_anything(self) -> bool:
        """Whether any Ω differs from zero; looked at again only after one was written to."""
        written = [(id(importance), importance._version) for importance in self.importance.values()]
        if written != self._written:
            self._written = written
            self._protects = any(bool(importance.any()) for importance in self.importance.values())
        return self._protects

    def _put_back(self):
        if self.strength > 0:
            for name, task_grad in self._task_grads.items():
                self._params[name].grad = task_grad
        self._task_grads = None

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
        self._stable_rates = ()
        return self

    def _check_finite(self, what: str, values: Mapping[str, Tensor]):
        guards.check_finite(what, values, f"after {self.steps} steps of task {self.tasks}")

    # ------------------------------------------------------------------------- stop and resume

    def state_dict(self) -> dict:
        """A copy of everything that training changes, for `torch.save`.

        Strength and the like are not in it: build the object as before, then load.
        """
        state: dict = {"tasks": self.tasks, "steps": self.steps}
        for field in self._tensor_fields:
            state[field] = {name: t.clone() for name, t in getattr(self, field).items()}
        return state

    def load_state_dict(self, state: Mapping) -> None:
        """Take over what `state_dict` returned; training then goes on with the same bits.

        Raises ValueError, and changes nothing, if fields, names or shapes differ.
        """
        expected = self.state_dict().keys()
        if state.keys() != expected:
            raise ValueError(f"this is not the state of a {type(self).__name__}: expected the "
                             f"fields {sorted(expected)}, got {sorted(state)}")
        for field in self._tensor_fields:
            mine = {name: tuple(t.shape) for name, t in getattr(self, field).items()}
            given = {name: tuple(t.shape) for name, t in state[field].items()}
            if mine != given:
                raise ValueError(f"{field} does not fit this network; differing entries: "
                                 f"{sorted(dict(mine.items() ^ given.items()))}")
        for field in self._tensor_fields:
            for name, tensor in getattr(self, field).items():
                tensor.copy_(state[field][name])
        self.tasks, self.steps = state["tasks"], state["steps"]
        self._stable_rates = ()

    _tensor_fields: tuple[str, ...] = ("importance", "anchor")

    def _like(self, make) -> dict[str, Tensor]:
        return {name: make(p.detach()) for name, p in self._params.items()}
