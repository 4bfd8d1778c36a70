"""Synaptic Intelligence: importance kept online, along the whole trajectory."""

from typing import Literal

import torch
from torch import nn

from si_tutorial import formulas
from si_tutorial.importance.penalty import QuadraticPenalty, at_least_zero


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
    damping : float
        ξ ≥ 0, in units of a squared parameter.
    clip : {"cumulative", "per_task", "none"}
        A parameter that raised the loss has ω < 0, and a negative importance would push it away
        from its anchor. "cumulative" clips Ω at zero after each task's share is added, as the
        authors' code does; "per_task" clips each share before it is added; "none" keeps signs.

    Attributes
    ----------
    path_integral : dict of str to Tensor
        ω of the task in progress by parameter name, in units of the loss; zero after
        `consolidate`. A parameter without a gradient contributes nothing.
    """

    _tensor_fields = ("importance", "anchor", "path_integral")

    def __init__(self, network: nn.Module, *, strength: float = 1.0, damping: float = 1e-3,
                 clip: Literal["cumulative", "per_task", "none"] = "cumulative"):
        super().__init__(network, strength=strength)
        self.damping = at_least_zero("damping", damping)
        if clip not in ("cumulative", "per_task", "none"):
            raise ValueError(f"clip must be 'cumulative', 'per_task' or 'none', got {clip!r}")
        self.clip = clip
        self.path_integral = self._like(torch.zeros_like)
        self._theta_before = self._like(torch.empty_like)

    @torch.no_grad()
    def _before_step(self, optimizer, args, kwargs):
        super()._before_step(optimizer, args, kwargs)
        for name, task_grad in self._task_grads.items():
            self._theta_before[name].copy_(self._params[name])
            if self.strength == 0:  # an observer's p.grad goes to the optimizer, and some write
                self._task_grads[name] = task_grad.clone()  # to it (Nesterov in foreach form)

    @torch.no_grad()
    def _after_step(self, optimizer, args, kwargs):
        for name, task_grad in self._task_grads.items():
            delta = torch.sub(self._params[name], self._theta_before[name],
                              out=self._theta_before[name])
            self.path_integral[name].addcmul_(task_grad, delta, value=-self._sign)
        super()._after_step(optimizer, args, kwargs)

    @torch.no_grad()
    def consolidate(self):
        """End a task: Ω += ω / (Δ² + ξ), θ̃ ← θ, ω ← 0. Returns self.

        Raises
        ------
        RuntimeError
            If no step was seen since the last call, or a parameter moved outside the optimizer
            that this object is attached to.
        FloatingPointError
            If a parameter, its ω or its importance is NaN or infinite. Nothing is changed then.
        """
        self._check_network()
        if self.steps == 0:
            raise RuntimeError("no optimizer step was seen in this task: call "
                               "attach(optimizer) with the optimizer that trains the network")
        self._check_moved_by_optimizer()
        self._check_finite("the path integral", self.path_integral)
        self._check_finite("the value", self._params)
        importance = {}
        for name, p in self._params.items():
            share = self._share(name, p - self.anchor[name])
            total = self.importance[name] + share
            importance[name] = total.clamp(min=0) if self.clip == "cumulative" else total
        self._check_finite("the importance", importance)
        for name, p in self._params.items():
            self.importance[name].copy_(importance[name])
            self.anchor[name].copy_(p)
            self.path_integral[name].zero_()
        self.tasks += 1
        self.steps = 0
        self._stable_rates = ()
        return self

    def _check_moved_by_optimizer(self):
        if self._optimizer is None:
            return
        held = {p for group in self._optimizer.param_groups for p in group["params"]}
        for name, p in self._params.items():
            if p not in held and not torch.equal(p, self.anchor[name]):
                raise RuntimeError(f"parameter {name!r} moved during this task, but the optimizer "
                                   "this object is attached to does not hold it, so its share is "
                                   "unknown: train all parameters with one optimizer")

    def _share(self, name, drift):
        """This task's ω / (Δ² + ξ); zero where a parameter neither moved nor earned anything."""
        omega = self.path_integral[name]
        if self.clip == "per_task":
            omega = omega.clamp(min=0)
        share = formulas.importance(omega, drift, self.damping)
        return torch.where((omega == 0) & (drift == 0), 0.0, share)
