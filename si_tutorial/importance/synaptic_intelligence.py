"""Synaptic Intelligence: importance kept online, along the whole trajectory."""

from collections.abc import Callable, Iterable
from typing import Literal, Self

import torch
from torch import Tensor, nn

from si_tutorial import formulas
from si_tutorial.importance import guards
from si_tutorial.importance.penalty import QuadraticPenalty
from si_tutorial.importance.processes import several
from si_tutorial.importance.selection import Protect


class SynapticIntelligence(QuadraticPenalty):
    """Each parameter keeps its own account of how much it has lowered the task loss.

    In every optimizer step ω −= g · Δθ, with g the gradient of the *task* loss and Δθ the update
    that was really made; at the end of a task Ω += ω / (Δ² + ξ), the anchor moves to the present
    weights and ω starts again at zero (Zenke, Poole & Ganguli 2017, eqs. 3 to 5)::

        si = SynapticIntelligence(network, strength=1.0, damping=1e-3).attach(optimizer)
        for task in tasks:
            for x, y in task.batches(64):
                loss = F.cross_entropy(network(x, task), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            si.consolidate()
            optimizer.state.clear()   # fresh moments for the next task; the hooks stay

    Parameters
    ----------
    network : torch.nn.Module
    strength : float
        c ≥ 0, without a factor ½. At c = 1 the penalty restores the first task's loss where that
        loss is quadratic. 0 makes an observer.
    protect : see `QuadraticPenalty`
    damping : float
        ξ ≥ 0, in units of a squared parameter.
    clip : {"cumulative", "per_task", "none"}
        A parameter that raised the loss has ω < 0, and a negative importance would push it away
        from its anchor. "cumulative" clips Ω at zero after each task's increment is added, as the
        authors' code does; "per_task" clips each increment before it is added; "none" keeps signs.
    gradient : {"task", "total", "independent"}
        Whose product with Δθ is summed. "task" is the paper's. "total" adds the penalty's own
        gradient, as much published code does: for showing what that changes. "independent" takes
        the gradient of another minibatch, handed over by `probe` before each step; the step then
        does not depend on that minibatch's noise, and ω has no bias from it (SIU, Benzing 2022).

    Attributes
    ----------
    path_integral : dict of str to Tensor
        ω of the task in progress by parameter name, in units of the loss; zero after
        `consolidate`. A parameter without a gradient contributes nothing.
    """

    _tensor_fields = QuadraticPenalty._tensor_fields | {"path_integral": torch.zeros_like}
    _needs_every_step = True

    def __init__(self, network: nn.Module, *, strength: float = 1.0, protect: Protect = None,
                 damping: float = 1e-3,
                 clip: Literal["cumulative", "per_task", "none"] = "cumulative",
                 gradient: Literal["task", "total", "independent"] = "task"):
        super().__init__(network, strength=strength, protect=protect)
        self.damping = guards.at_least_zero("damping", damping)
        if clip not in ("cumulative", "per_task", "none"):
            raise ValueError(f"clip must be 'cumulative', 'per_task' or 'none', got {clip!r}")
        if gradient not in ("task", "total", "independent"):
            raise ValueError("gradient must be 'task', 'total' or 'independent', "
                             f"got {gradient!r}")
        self.clip, self.gradient = clip, gradient
        self.path_integral = self._like(torch.zeros_like)
        # name → gradient on an independent minibatch, until the step
        self._probe_grads: dict | None = None

    def _allocate(self):
        super()._allocate()
        self._theta_before = self._like(torch.empty_like)

    def probe(self, loss: Tensor) -> None:
        """Hand over the task loss on an independent minibatch, before `optimizer.step()`::

            si = SynapticIntelligence(network, gradient="independent").attach(optimizer)
            optimizer.zero_grad()
            F.cross_entropy(network(x), y).backward()
            si.probe(F.cross_entropy(network(other_x), other_y))
            optimizer.step()

        Only its gradient is taken; `param.grad`, and with it the step, stays as it is. Call it
        where the loss is at the weights that the step starts from.
        """
        if self.gradient != "independent":
            raise RuntimeError("only gradient='independent' integrates another minibatch's "
                               f"gradient; this object has gradient={self.gradient!r}")
        if several():
            raise RuntimeError("each of several processes would integrate the gradient of its own "
                               "minibatch, so that their importances differ: use gradient='task', "
                               "whose gradients DistributedDataParallel has averaged")
        params = {name: p for name, p in self._params.items() if p.requires_grad}
        grads = torch.autograd.grad(loss, list(params.values()), allow_unused=True)
        self._probe_grads = {name: g for name, g in zip(params, grads, strict=True)
                             if g is not None}

    def _check_step(self, optimizer, args, kwargs):
        super()._check_step(optimizer, args, kwargs)
        if self.gradient == "independent" and self._probe_grads is None:
            raise RuntimeError("gradient='independent' needs the loss on another minibatch before "
                               "each step: call probe(loss), then optimizer.step()")

    def _before_step(self):
        if self._task_grads:
            torch._foreach_copy_(self._stepping(self._theta_before), self._stepping(self._params))
        if self.strength == 0:  # an observer's p.grad goes to the optimizer, and some write to it
            for name, task_grad in self._task_grads.items():  # (SGD's Nesterov in foreach form)
                self._task_grads[name] = task_grad.clone()

    def _after_step(self):
        if self._task_grads:
            grads = [self._integrand(name, g) for name, g in self._task_grads.items()]
            back = self._stepping(self._theta_before)
            torch._foreach_sub_(back, self._stepping(self._params))  # θ before − θ after = −Δθ
            torch._foreach_addcmul_(self._stepping(self.path_integral), grads, back,
                                    value=self._sign)                # ω −= g · Δθ
        self._probe_grads = None

    def _stepping(self, tensors):
        """Of these, those that belong to a parameter with a gradient in this step."""
        return [tensors[name] for name in self._task_grads]

    def _integrand(self, name, task_grad):
        """The gradient whose product with Δθ is credited."""
        if self.gradient == "independent":
            return self._probe_grads.get(name, torch.zeros_like(task_grad))
        if self.gradient == "total":
            return task_grad + self._sign * formulas.penalty_gradient(
                self.importance[name], self.anchor[name], self._theta_before[name], self.strength)
        return task_grad

    @torch.no_grad()
    def consolidate(self, batches: Iterable | None = None, *,
                    forward: Callable[[Tensor], Tensor] | None = None) -> Self:
        """End a task: Ω += ω / (Δ² + ξ), θ̃ ← θ, ω ← 0. Returns self.

        `batches` and `forward` are not looked at; they let one loop serve every measure.

        Raises
        ------
        RuntimeError
            If no step was seen since the last call, or a parameter was written to outside the
            steps of the optimizer that this object is attached to. Between two steps, the next
            one raises it. Writing into `param.data` is not seen within a task: write to the
            parameter, under `torch.no_grad()`.
        FloatingPointError
            If a parameter, its ω or its importance is NaN or infinite. Nothing is changed then.
        """
        self._begin_consolidation()
        self._check_finite("the path integral", self.path_integral)
        importance = {}
        for name, p in self._params.items():
            total = self.importance[name] + self._increment(name, p - self.anchor[name])
            importance[name] = total.clamp(min=0) if self.clip == "cumulative" else total
        self._end_task(importance, self._params)
        for omega in self.path_integral.values():
            omega.zero_()
        return self

    def _increment(self, name, displacement):
        """This task's ω / (Δ² + ξ); zero where a parameter neither moved nor earned anything."""
        omega = self.path_integral[name]
        if self.clip == "per_task":
            omega = omega.clamp(min=0)
        increment = formulas.importance(omega, displacement, self.damping)
        return torch.where((omega == 0) & (displacement == 0), 0.0, increment)
