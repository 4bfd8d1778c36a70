"""What the theory adds to the formulas: each against training runs, sampling or autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from si_tutorial import formulas, quadratic

HESSIAN = np.array([[2.0, 0.6], [0.6, 0.5]])


@settings(max_examples=50, deadline=None)
@given(theta=st.tuples(*[st.floats(-3, 3)] * 2), delta=st.tuples(*[st.floats(-3, 3)] * 2))
def test_trapezoid_credits_add_up_to_the_drop_of_a_parabola(theta, delta):
    theta, delta = np.array(theta), np.array(delta)
    before, after = HESSIAN @ theta, HESSIAN @ (theta + delta)
    drop = quadratic.loss(theta, HESSIAN, 0.0) - quadratic.loss(theta + delta, HESSIAN, 0.0)
    shares = formulas.trapezoid_credit(before, after, delta)
    assert shares.shape == (2,)
    assert shares.sum() == pytest.approx(drop, abs=1e-12)
    plain = formulas.credit(before, delta).sum()
    assert plain - drop == pytest.approx(formulas.step_error(HESSIAN, delta), abs=1e-12)


def test_the_trapezoid_rule_is_of_third_order_elsewhere():
    """On L = θ⁴ the error falls eightfold per halved step, that of the plain credit fourfold."""
    def errors(delta):
        theta = torch.tensor(1.0, dtype=torch.float64)
        drop = theta**4 - (theta + delta) ** 4
        before, after = 4 * theta**3, 4 * (theta + delta) ** 3
        return np.array([formulas.credit(before, delta) - drop,
                         formulas.trapezoid_credit(before, after, delta) - drop])

    np.testing.assert_allclose(errors(-0.02) / errors(-0.01), [4, 8], rtol=0.05)


def noisy_runs(momentum, *, runs=4000, steps=40, lr=0.05, noise=0.7, seed=0):
    """ω of many runs of noisy SGD on ½hθ², by four accounts; a dict of `(runs,)` arrays."""
    rng, h = np.random.default_rng(seed), 0.3
    theta, buffer = np.full(runs, 1.0), np.zeros(runs)
    draws = noise * rng.normal(size=(steps + 1, runs))
    omega = {name: np.zeros(runs) for name in ("online", "true", "next", "half", "same")}
    for t in range(steps):
        grad = h * theta + draws[t]
        buffer = momentum * buffer + grad
        delta = -lr * buffer
        after = h * (theta + delta)
        omega["online"] += formulas.credit(grad, delta)
        omega["true"] += formulas.credit(h * theta, delta)
        omega["same"] += formulas.trapezoid_credit(grad, after + draws[t], delta)
        omega["next"] += formulas.credit(after + draws[t + 1], delta)
        omega["half"] += formulas.trapezoid_credit(grad, after + draws[t + 1], delta)
        theta = theta + delta
    omega["drop"] = h / 2 * (1 - theta**2)
    return omega, formulas.noise_bias(lr, steps, noise**2)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_noise_adds_its_bias_and_each_remedy_takes_its_part(momentum):
    """4000 runs; every mean within 5 standard errors of the difference that is tested."""
    omega, bias = noisy_runs(momentum)

    def assert_excess(of, over, expected):
        excess = omega[of] - omega[over]
        assert abs(excess.mean() - expected) < 5 * excess.std() / len(excess) ** 0.5 + 1e-12

    assert_excess("online", "true", bias)       # the account SI keeps
    assert_excess("same", "drop", bias)         # the trapezoid rule does not cure noise …
    assert_excess("half", "drop", bias / 2)     # … the next batch's gradient cures half of it
    late = omega["next"] - (2 * omega["drop"] - omega["true"])  # right end = 2·trapezoid − left
    assert abs(late.mean()) < 5 * late.std() / len(late) ** 0.5
    assert bias > 20 * omega["online"].std() / len(omega["online"]) ** 0.5  # the test can see it


def per_example_gradients(n=6, seed=0):
    """Gradients `(n, 3)` of a logistic loss, one example each, by autograd."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 2, (n,), generator=generator).double()
    w = torch.tensor([0.5, -0.2, 0.1], dtype=torch.float64, requires_grad=True)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(x @ w, y, reduction="none")
    return torch.stack([torch.autograd.grad(loss, w, retain_graph=True)[0] for loss in losses])


def test_minibatch_moments_over_every_possible_batch():
    """All 6³ batches of three independent draws: the moments are exact, not sampled."""
    grads = per_example_gradients()
    fisher, mean = (grads**2).mean(0), grads.mean(0)
    rows = torch.cartesian_prod(*[torch.arange(6)] * 3)           # (216, 3)
    batches = grads[rows].mean(1)                                 # (216, 3 parameters)
    torch.testing.assert_close(batches.var(0, correction=0),
                               formulas.noise_variance(fisher, mean, 3))
    torch.testing.assert_close((batches**2).mean(0),
                               formulas.squared_batch_gradient(fisher, mean, 3))
    torch.testing.assert_close(formulas.squared_batch_gradient(fisher, mean, 1), fisher)


@pytest.mark.parametrize("beta1", [0.9, 0.5])
def test_adam_credits_the_root_of_the_second_moment(beta1):
    """Pure noise of scales 0.01 … 1 under torch's Adam, its moments warm: ω within 5 %."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.logspace(-2, 0, 5).repeat_interleave(200).double()    # (1000,)
    theta = torch.zeros(1000, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([theta], lr=1e-3, betas=(beta1, 0.999), eps=1e-12)
    omega, warm, steps = torch.zeros(1000, dtype=torch.float64), 3000, 2000
    for t in range(warm + steps):
        theta.grad = scale * torch.randn(1000, generator=generator, dtype=torch.float64)
        before = theta.detach().clone()
        adam.step()
        if t >= warm:
            omega += formulas.credit(theta.grad, theta.detach() - before)
    expected = formulas.adam_noise_credit(1e-3, steps, scale**2, beta1)
    ratio = (omega / expected).view(5, 200).mean(1)
    torch.testing.assert_close(ratio, torch.ones(5, dtype=torch.float64), atol=0.05, rtol=0)


@pytest.mark.parametrize("kind", ["sgd", "momentum", "adam"])
def test_surrogate_gap_is_an_identity_for_any_optimizer(kind):
    theta = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    anchor, importance = theta.detach().clone(), torch.tensor([0.7, 0.2], dtype=torch.float64)
    optimizer = {"sgd": lambda p: torch.optim.SGD(p, lr=0.1),
                 "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
                 "adam": lambda p: torch.optim.Adam(p, lr=0.05)}[kind]([theta])
    deltas, by_task, by_total = [], 0, 0
    for _ in range(25):
        before = theta.detach().clone()
        task_grad, = torch.autograd.grad((theta**4 / 4 - theta * 2).sum(), theta)
        total_grad = task_grad + formulas.penalty_gradient(importance, anchor, before, 1.5)
        theta.grad = total_grad
        optimizer.step()
        deltas.append(theta.detach() - before)
        by_task += formulas.credit(task_grad, deltas[-1])
        by_total += formulas.credit(total_grad, deltas[-1])
    torch.testing.assert_close(by_task - by_total,
                               formulas.surrogate_gap(importance, deltas, 1.5))


def test_fisher_importance_gives_ewcs_penalty():
    fisher, theta, anchor = np.array([0.3, 2.0]), np.array([1.0, -1.0]), np.array([0.2, 0.4])
    ewc = 0.5 * 4.0 * (fisher * (theta - anchor) ** 2).sum()
    ours = formulas.penalty(formulas.fisher_importance(fisher), anchor, theta, 4.0)
    assert ours == pytest.approx(ewc)
