"""One equation of the book, one function: plain, obvious, without state.

A formula works on whatever array it is given, NumPy's or PyTorch's, elementwise unless it says
otherwise. These are the definitions that every fast path is tested against.

The book's letters stand in the docstrings; in code they are words:
θ `theta`, θ̃ `anchor`, g `task_grad`, δ `delta`, ω `path_integral`, Δ `displacement`,
Ω `importance`, c `strength`, ξ `damping`.

Sources: Zenke, Poole & Ganguli, Continual Learning Through Synaptic Intelligence, ICML 2017,
cited below as Z17 with its equation numbers.
"""

from collections.abc import Sequence
from typing import Any

Array = Any  # NumPy's or PyTorch's, or a number: what comes in goes out


def loss_change(task_grad: Array, delta: Array) -> Array:
    """L(θ+δ) − L(θ) ≈ Σₖ gₖ δₖ, to first order in the step δ (Z17, eq. 1).

    Both arguments have one and the same shape; the result is a scalar, in units of the loss.
    """
    return (task_grad * delta).sum()


def credit(task_grad: Array, delta: Array) -> Array:
    """−gₖ δₖ: what one step of each parameter took off the loss, to first order (Z17, eq. 3).

    Positive where the step helped. Same shape as the arguments, in units of the loss.
    """
    return -task_grad * delta


def path_integral(task_grads: Sequence[Array], deltas: Sequence[Array]) -> Array:
    """ωₖ = −Σₜ gₖ(t) δₖ(t): the credits of all steps of a task, summed (Z17, eq. 3).

    `task_grads` and `deltas` are sequences of equal length, one entry per step.
    """
    return sum(credit(g, delta) for g, delta in zip(task_grads, deltas, strict=True))


def importance(path_integral: Array, displacement: Array, damping: float) -> Array:
    """ωₖ / (Δₖ² + ξ): one task's contribution to Ωₖ (Z17, eq. 5).

    `displacement` is Δ, from the start of the task to its end. Dividing by its square gives the
    units of a curvature (loss per squared parameter); the damping ξ, in units of a squared
    parameter, keeps parameters that hardly moved from an unbounded importance.
    """
    return path_integral / (displacement**2 + damping)


def penalty(importance: Array, anchor: Array, theta: Array, strength: float) -> Array:
    """c Σₖ Ωₖ (θ̃ₖ − θₖ)²: what the surrogate loss adds to the task loss (Z17, eq. 4).

    No factor ½: for an old loss ½hΔ² the importance tends to h/2, and c = 1 restores that loss.
    """
    return strength * (importance * (anchor - theta) ** 2).sum()


def penalty_gradient(importance: Array, anchor: Array, theta: Array, strength: float) -> Array:
    """2 c Ωₖ (θₖ − θ̃ₖ): the derivative of `penalty` with respect to θₖ."""
    return 2 * strength * importance * (theta - anchor)


def fisher(example_grads: Array) -> Array:
    """Fₖ = mean over examples of gₖ²: the diagonal Fisher information for one label each.

    `example_grads` has shape (examples, …); row n is the gradient of log p(yₙ|xₙ). The square is
    taken before the mean.
    """
    return (example_grads**2).mean(0)


def categorical_fisher(p: Array, jacobian: Array) -> Array:
    """jᵀ (diag p − p pᵀ) j = Σ_c p_c j_c² − (Σ_c p_c j_c)²: one example's Fₖ, softmax over classes.

    `p` has shape (outputs,), `jacobian` (outputs, parameters): j_c = ∂z_c / ∂θₖ of the logits z.
    The matrix is the covariance of the label, a one-hot vector, under the model. −log p(y|x) is
    cross-entropy.
    """
    return p @ jacobian**2 - (p @ jacobian) ** 2


def bernoulli_fisher(p: Array, jacobian: Array) -> Array:
    """jᵀ diag(p (1−p)) j: one example's Fₖ where each output is the logit of a yes-or-no answer.

    Shapes as in `categorical_fisher`; p is the sigmoid of the outputs. −log p(y|x) is the sum of
    the binary cross-entropies; their mean over C outputs has 1/C of this.
    """
    return (p * (1 - p)) @ jacobian**2


def gaussian_fisher(jacobian: Array) -> Array:
    """jᵀ j: one example's Fₖ where the outputs are means of numbers with variance 1.

    Shapes as in `categorical_fisher`. −log p(y|x) is *half* the sum of the squared errors, up to a
    constant; their mean over C outputs, without the half, has 2/C of this.
    """
    return (jacobian**2).sum(0)


def sensitivity(example_grads: Array) -> Array:
    """Mean over examples of |gₖ|; row n is the gradient of ‖logits(xₙ)‖² (Aljundi et al. 2018)."""
    return abs(example_grads).mean(0)


def merged_anchor(importance: Array, anchor: Array, new_importance: Array, theta: Array) -> Array:
    """b with A (θ−b)² + const = Ω (θ−θ̃)² + Ω' (θ−θ')², where A = Ω + Ω' is not zero.

    The mean of the old anchor θ̃ and the new one θ' (`theta`), weighted by their importances.
    """
    return (importance * anchor + new_importance * theta) / (importance + new_importance)


def momentum_limit(momentum: float = 0.0, *, dampening: float = 0.0, nesterov: bool = False
                   ) -> float:
    """The largest lr·h at which SGD still converges on the parabola ½hθ².

    With momentum β it is 2(1+β) / (1−dampening); in Nesterov's form 2(1+β) / (1+2β).
    A dampening of 1 leaves only the first gradient in the buffer: no limit.
    Both follow from the eigenvalues of the two-step recursion (the Jury conditions); without
    momentum the limit is the textbook's 2. The penalty c Ω (θ−θ̃)² has curvature h = 2cΩ.
    """
    if not momentum:
        return 2.0  # PyTorch's SGD has no buffer then, and ignores the dampening
    slowed = 1 + 2 * momentum if nesterov else 1 - dampening
    return 2 * (1 + momentum) / slowed if slowed > 0 else float("inf")


# --------------------------------------------------------------- how well ω measures the drop


def trapezoid_credit(task_grad: Array, next_task_grad: Array, delta: Array) -> Array:
    """−½ (gₖ + gₖ′) δₖ with g′ the gradient after the step: the credit by the trapezoid rule.

    Exact in its sum where the loss is quadratic. If g and g′ come from one batch, the noise bias
    stays; if g′ is the *next* batch's gradient, which training computes anyway, it is halved.
    """
    return credit((task_grad + next_task_grad) / 2, delta)


def step_error(hessian: Array, delta: Array) -> Array:
    """½ δᵀ H δ: by how much Σₖ −gₖδₖ overestimates the drop, of second order in the step δ.

    `hessian` has shape (n, n), `delta` (n,); the result is a scalar, exact for quadratic losses.
    """
    return delta @ hessian @ delta / 2


def noise_variance(fisher: Array, mean_grad: Array, batch_size: int) -> Array:
    """σₖ² = (Fₖ − ḡₖ²) / B: the variance of a minibatch gradient, B examples drawn independently.

    `fisher` is the mean of the squared per-example gradients, `mean_grad` the mean gradient ḡ.
    """
    return (fisher - mean_grad**2) / batch_size


def noise_bias(lr: float, steps: int, noise_variance: Array) -> Array:
    """η T σₖ²: what gradient noise adds to ωₖ on average in T steps of SGD.

    The step −η (ḡ+n) holds the noise n that the gradient ḡ+n holds too, and their product has the
    mean ησ². Undampened momentum changes nothing: n enters its own step once, later ones after.
    """
    return lr * steps * noise_variance


def adam_noise_credit(lr: float, steps: int, second_moment: Array, beta1: float = 0.9) -> Array:
    """(1−β₁) η T √vₖ: ωₖ under Adam where noise dominates the gradient (ḡ² ≪ v = ⟨g²⟩).

    The step −η m/√v holds the share 1−β₁ of the present gradient; the older gradients in m are
    uncorrelated with it. So ω follows the root of the Fisher information (Benzing, Unifying
    Importance Based Regularisation Methods for Continual Learning, AISTATS 2022).
    """
    return (1 - beta1) * lr * steps * second_moment**0.5


def surrogate_gap(importance: Array, deltas: Sequence[Array], strength: float) -> Array:
    """c Ωₖ (Δₖ² − Σₜ δₖ(t)²): ω from the task's gradient minus ω from the surrogate's.

    An identity, for any optimizer, where the task begins at the anchor. `deltas` is the sequence
    of the task's steps; Δ is their sum.
    """
    displacement = sum(deltas)
    return strength * importance * (displacement**2 - sum(delta**2 for delta in deltas))


# ------------------------------------------------------------------- where EWC's Fisher meets Ω


def squared_batch_gradient(fisher: Array, mean_grad: Array, batch_size: int) -> Array:
    """Fₖ / B + (1 − 1/B) ḡₖ²: the mean *square of a batch mean* of B independent gradients.

    Taken for the Fisher information, it is too small by a factor of up to B.
    """
    return fisher / batch_size + (1 - 1 / batch_size) * mean_grad**2


def fisher_importance(fisher: Array) -> Array:
    """Fₖ / 2: the importance for which a penalty without ½ is EWC's ½ Σ F (θ̃−θ)²."""
    return fisher / 2
