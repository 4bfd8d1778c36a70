"""What can be seen of a measure that does not do what it should, and what to do about it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from si_tutorial import formulas
from si_tutorial.importance import guards, normalization
from si_tutorial.importance.penalty import QuadraticPenalty

# In sound runs the pull is between a thousandth and three times as long as the gradient once a
# later task is under way. Below and above these ratios one of the two does not matter.
STEPS, WEAK, STRONG = 50, 1e-4, 100.0


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or is about to go wrong."""

    what: str    # is seen
    why: str     # it matters
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}. {self.why}. {self.remedy}."


@torch.no_grad()
def diagnose(measure: QuadraticPenalty, optimizer: torch.optim.Optimizer | None = None
             ) -> list[Finding]:
    """Look at a measure in the middle of training, or after it; [] if nothing is wrong.

    It sees whether the measure acts on what trains the network, which parameters are left out, an
    importance that is zero everywhere, negative or not finite, a penalty too stiff for SGD,
    running statistics that a later task changes, and a pull that is tiny or huge beside the
    gradient. It cannot see the loss, so not whether the new task is learned. Nothing is changed.

    Parameters
    ----------
    measure : an importance measure.
    optimizer : the one that trains the network; by default the one the measure is attached to.

    Notes
    -----
    The best moment is after a `step()` well into the second task, before `zero_grad()`: the
    gradient is still there to be compared with the pull.
    """
    try:
        measure._check_network()
    except RuntimeError as error:
        return [Finding("The network is not the one that this measure was built on", str(error),
                        "Change a network between two tasks, and call sync_parameters() directly "
                        "after consolidate(); give it its place and dtype before the optimizer "
                        "and the measure are built")]
    optimizer = optimizer or measure.optimizer
    return [*_action(measure, optimizer), *_coverage(measure, optimizer), *_finiteness(measure),
            *_importance(measure), *_stiffness(measure, optimizer), *_statistics(measure),
            *_balance(measure)]


def _action(measure: QuadraticPenalty, optimizer: torch.optim.Optimizer | None
            ) -> Iterator[Finding]:
    """Whether the hooks are where training is."""
    mine, needs_steps = measure.optimizer, measure._needs_every_step
    changed = measure._watch.changed()
    if mine is None:
        left_out = measure.strength > 0 and not measure._watch.in_loss and (
            changed or (optimizer is not None and measure.tasks == 0))
        if needs_steps or left_out:
            yield Finding("The measure is attached to no optimizer",
                          "It sees no step, and its penalty pulls at nothing",
                          "Call attach(optimizer) before training" + (
                              "" if needs_steps else ", or add penalty() to the loss"))
    elif mine is not optimizer:
        yield Finding("The measure is attached to another optimizer",
                      "Its hooks do not fire in the steps of this one",
                      "Call detach(), then attach(optimizer) with the one that trains the "
                      "network, again wherever a new one is made")
    elif not _hooked(measure, mine):
        yield Finding("The optimizer has lost this measure's hooks",
                      "Its steps are neither seen nor shown the penalty",
                      "Call detach(), then attach(optimizer)")
    elif changed and measure.steps == 0 and _gradients(measure):
        yield Finding(f"Weights have changed ({_some(changed)}), and this measure has seen no step",
                      "Something else than its optimizer trains them, so nothing is protected",
                      "Attach it to the optimizer that makes the steps, before it makes them")
    elif changed and needs_steps and measure.steps + measure.tasks > 0:
        yield Finding(f"Weights were written to between steps ({_some(changed)})",
                      "What that changed is in no account, and the next step is refused",
                      "Load weights before the first task, and clip them in a hook of the step")


def _coverage(measure: QuadraticPenalty, optimizer: torch.optim.Optimizer | None
              ) -> Iterator[Finding]:
    """Whether the optimizer holds what the measure shall protect."""
    if optimizer is None or measure.strength == 0:
        return
    held = {p for group in optimizer.param_groups for p in group["params"]}
    without = [name for name, p in measure._params.items() if p.requires_grad and p not in held]
    if without:
        yield Finding(f"The optimizer does not hold {_some(without)}",
                      "The penalty acts in its steps alone. Whatever else trains these parameters "
                      "is not held back",
                      "Put all trained parameters into one optimizer, and freeze the others with "
                      "requires_grad_(False)")


def _finiteness(measure: QuadraticPenalty) -> Iterator[Finding]:
    """NaN and infinity, in the order in which they usually spread."""
    for what, values in (("The gradient", _gradients(measure)), ("The value", measure._params),
                         *((f"The {field.replace('_', ' ')}", getattr(measure, field))
                           for field in measure._tensor_fields)):
        bad = [name for name, value in values.items() if not value.isfinite().all()]
        if bad:
            yield Finding(f"{what} of {_some(bad)} is NaN or infinite",
                          "It spreads to all weights in the next steps",
                          "Go back to the last state that is finite, then lower the learning rate "
                          "or the strength; see whether the loss alone is finite at strength 0")
            return


def _importance(measure: QuadraticPenalty) -> Iterator[Finding]:
    """Whether anything is protected, and nothing pushed away."""
    if measure.tasks > 0 and not _protects(measure):
        yield Finding("Every importance is zero",
                      "The penalty is zero whatever the strength",
                      "Look whether weights moved and gradients were not zero in the finished "
                      "tasks (for EWC, whether its outputs have the likelihood that it assumes), "
                      "and call consolidate at a task's end, after training")
    negative = [name for name, omega in measure.importance.items() if (omega < 0).any()]
    if negative and measure.strength > 0:
        yield Finding(f"Importances of {_some(negative)} are negative",
                      "Such a weight is pushed away from its anchor, the faster the further it is",
                      'Build the measure with clip="cumulative", which cuts them off at zero')


def _stiffness(measure: QuadraticPenalty, optimizer: torch.optim.Optimizer | None
               ) -> Iterator[Finding]:
    if isinstance(optimizer, torch.optim.SGD) and measure.strength > 0:
        found = list(guards.stiff(optimizer, measure._params, measure.importance,
                                  measure.strength))
        if found:
            highest = min(highest for *_, highest in found)
            worst = max(product / limit for _, product, limit, _ in found)
            yield Finding(f"SGD will diverge on {_some([name for name, *_ in found])}",
                          f"lr · 2cΩ is {worst:.3g} times what it can bear, so that each step "
                          "lands further from the anchor than the one before",
                          f"Keep lr below {highest:.3g}, lower the strength, raise the damping, "
                          "or use Adam")


def _statistics(measure: QuadraticPenalty) -> Iterator[Finding]:
    """Normalisation layers whose running mean and variance a later task changes."""
    seen = measure._statistics
    if measure.strength == 0:
        return
    if seen.told or seen.changed():
        layers = seen.changed()
        yield Finding("A later task has changed the running statistics of "
                      + (_some(layers, quote=False) if layers else "a normalisation layer"),
                      normalization.WHY, normalization.REMEDY)
    elif measure.tasks == 1 and measure.steps == 0 and (layers := seen.about_to_change()):
        yield Finding(f"In training mode: {_some(layers, quote=False)}. The next task will change "
                      "the running statistics", normalization.WHY, normalization.REMEDY)


def _balance(measure: QuadraticPenalty) -> Iterator[Finding]:
    """The pull beside the gradient that it should hold in check, well into a later task."""
    gradients = _gradients(measure)
    if (measure.optimizer is None or measure.strength == 0 or measure.steps < STEPS
            or not _protects(measure)):
        return
    pull = _length(formulas.penalty_gradient(measure.importance[name], measure.anchor[name],
                                             measure._params[name], measure.strength)
                   for name in gradients)
    push = _length(gradients.values())
    if 0 < push < float("inf") and pull < WEAK * push:
        yield Finding(f"The pull is {pull / push:.1g} of the gradient",
                      "Beside it the penalty does nothing, and training is fine-tuning",
                      "Raise the strength tenfold, and again, until accuracy on old tasks changes")
    elif 0 < push < float("inf") and pull > STRONG * push:
        yield Finding(f"The pull is {pull / push:.2g} times the gradient",
                      "Steps serve the penalty alone, and the new task is hardly learned",
                      "Lower the strength tenfold, and again, until the new task is learned")


def _protects(measure: QuadraticPenalty) -> bool:
    return any(bool(omega.any()) for omega in measure.importance.values())


def _hooked(measure: QuadraticPenalty, optimizer: torch.optim.Optimizer) -> bool:
    return all(any(getattr(hook, "measure", None) is measure for hook in hooks.values())
               for hooks in (optimizer._optimizer_step_pre_hooks,
                             optimizer._optimizer_step_post_hooks))


def _gradients(measure: QuadraticPenalty) -> dict[str, Tensor]:
    return {name: p.grad for name, p in measure._params.items() if p.grad is not None}


def _length(parts: Iterable[Tensor]) -> float:
    return sum(float(part.double().square().sum()) for part in parts) ** 0.5


def _some(names: Iterable[str], *, quote: bool = True) -> str:
    """The first names, and how many more there are."""
    first = [repr(name) if quote else name for name in names]
    more = f" and {len(first) - 2} more" if len(first) > 2 else ""
    return ", ".join(first[:2]) + more
