"""What acts inside an optimizer's steps: it is shown another gradient, and what it did is seen."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from si_tutorial.importance import guards
from si_tutorial.importance.normalization import RunningStatistics
from si_tutorial.importance.watch import Watch


class StepHooks:
    """The part of a `QuadraticPenalty` that acts in each `optimizer.step()`, through its hooks."""

    tasks: int
    steps: int
    _strength: float
    _network: nn.Module
    _params: dict[str, nn.Parameter]
    importance: dict[str, Tensor]
    _left_out: list[nn.Parameter]
    _built: dict[str, tuple[torch.dtype, torch.device]]  # where each parameter was then
    _check_network: Callable[[], None]
    _when: Callable[[], str]
    _needs_every_step: bool
    _watch: Watch
    _statistics: RunningStatistics
    _optimizer: torch.optim.Optimizer | None = None
    _handles: tuple = ()
    _task_grads: dict | None = None  # name → g during optimizer.step(), None outside
    _sign: int                       # −1 while the optimizer maximises
    _stable_rates: tuple = ()        # each group's largest rate checked against Ω so far
    _held: list | None = None        # what the optimizer held when the network was last checked

    @property
    def strength(self) -> float:
        """c, as given at construction."""
        return self._strength

    @property
    def optimizer(self) -> torch.optim.Optimizer | None:
        """The optimizer this object is attached to, None if it is not."""
        return self._optimizer

    def attach(self, optimizer: torch.optim.Optimizer) -> Self:
        """Act in every `optimizer.step()` from now on. Returns self.

        Raises
        ------
        TypeError
            For LBFGS, which evaluates the loss by itself several times a step, and for an
            optimizer that runs no hooks.
        ValueError
            If the optimizer holds none of the network's parameters.
        RuntimeError
            If this object is attached already, or the optimizer has a penalty already: the
            second would take the first's penalty for a part of the task's gradient. Also if the
            network's parameters are others, or elsewhere, or of another dtype than they were.
        """
        if self._optimizer is not None:
            raise RuntimeError("already attached to an optimizer: call detach() first")
        self._check_network()
        guards.check_optimizer(optimizer, self._params)
        owner = _penalised_by(optimizer)
        if self.strength > 0 and owner is not None:
            raise RuntimeError(f"this optimizer already carries the penalty of a "
                               f"{type(owner).__name__}: detach() that one first, or give this "
                               "one strength=0 to let it only observe")
        self._optimizer = optimizer
        self._stable_rates, self._held = (), None
        self._register()
        if owner is not None:
            owner._register()  # hooks run in order; the one that changes p.grad must come last
        self._watch.attached()
        return self

    @torch.no_grad()
    def detach(self) -> Self:
        """Stop acting on the optimizer; also the way out after a step that was interrupted."""
        if self._task_grads is not None:
            if self._watch.changed():
                self._after_step()  # what the interrupted step had done by then counts
            self._put_back()
            self._watch.look()
        for handle in self._handles:
            handle.remove()
        self._optimizer, self._handles = None, ()
        return self

    def _register(self):
        for handle in self._handles:
            handle.remove()
        self._handles = (self._optimizer.register_step_pre_hook(_Hook(self, "_pre_hook")),
                         self._optimizer.register_step_post_hook(_Hook(self, "_post_hook")))

    @torch.no_grad()
    def _pre_hook(self, optimizer, args, kwargs):
        self._check_step(optimizer, args, kwargs)
        self._check_if_changed(optimizer)
        task_grads = {n: p.grad for n, p in self._params.items() if p.grad is not None}
        guards.check_dense(task_grads)
        self._sign = -1 if guards.maximizes(optimizer) else 1
        if self.steps == self.tasks == 0:
            self._start_here()
        else:
            self._watch.check_between_steps(self._optimizer, self._when())
        protects = self._protects_anything()
        if self.strength > 0:
            if self.steps == 0:
                self._statistics.warn_if_changed()
            self._stable_rates = guards.warn_if_stiff(
                optimizer, self._params, self.importance, self.strength, self._stable_rates)
        self._task_grads = task_grads
        self._before_step()
        if self.strength > 0:
            self._add_pull(protects)

    @torch.no_grad()
    def _post_hook(self, optimizer, args, kwargs):
        self._after_step()
        self._put_back()
        self._watch.step_ended()
        self.steps += 1
        if self.steps.bit_count() == 1:  # 1, 2, 4, 8, …: NaN stays, and looking takes time
            guards.check_finite("the value", self._params, self._when())

    def _add_pull(self, protects):
        """Show the optimizer g + 2cΩ(θ − θ̃) in place of g, which it must not write to."""
        factor = 2 * self.strength * self._sign
        for name, task_grad in self._task_grads.items():
            p, total = self._params[name], self._surrogate_grad[name]
            if protects:
                anchor = self.anchor[name]
                wide = total if total.dtype == anchor.dtype else torch.empty_like(anchor)
                torch.sub(p, anchor, out=wide)
                torch.addcmul(task_grad, self.importance[name], wide, value=factor, out=wide)
                if wide is not total:
                    total.copy_(wide)
            else:
                total.copy_(task_grad)
            p.grad = total

    def _check_if_changed(self, optimizer):
        """The whole network where something may have changed; walking it takes time."""
        held = [id(p) for group in optimizer.param_groups for p in group["params"]]
        if self.steps == 0 or held != self._held or any(p.requires_grad for p in self._left_out):
            self._check_network()
            if self.strength > 0 or self._needs_every_step:
                guards.warn_if_left_out(optimizer, self._params, self.importance)
            self._held = held
        else:
            guards.check_place(self._params, self._built)

    def _check_step(self, optimizer, args, kwargs):
        guards.check_step(optimizer, args, kwargs, running=self._task_grads is not None)

    def _before_step(self):
        """For a subclass: look at `self._task_grads` and the weights that the step starts from."""

    def _after_step(self):
        """For a subclass: look at the weights that the step has led to."""

    def _start_here(self):
        """Anchor the first task at its first step: weights may have been loaded until then."""
        self._watch.look()
        if not self._protects_anything():
            for name, p in self._params.items():
                self.anchor[name].copy_(p)

    def _put_back(self):
        if self.strength > 0:
            for name, task_grad in self._task_grads.items():
                self._params[name].grad = task_grad
        self._task_grads = None

    def __getstate__(self) -> dict:
        """A copy is attached to nothing, because hooks are not copied along."""
        return self.__dict__ | {"_optimizer": None, "_handles": (), "_task_grads": None,
                                "_written": [], "_held": None}


class _Hook:
    """What the optimizer calls; copied along with an optimizer, it does nothing."""

    def __init__(self, measure: StepHooks | None, name: str):
        self.measure, self._name = measure, name

    def __call__(self, optimizer, args, kwargs):
        if self.measure is not None:
            getattr(self.measure, self._name)(optimizer, args, kwargs)

    def __reduce__(self):
        return _Hook, (None, self._name)


def _penalised_by(optimizer: torch.optim.Optimizer) -> StepHooks | None:
    """The attached object whose penalty this optimizer carries."""
    for hook in optimizer._optimizer_step_pre_hooks.values():
        if isinstance(hook, _Hook) and hook.measure is not None and hook.measure.strength > 0:
            return hook.measure
    return None
