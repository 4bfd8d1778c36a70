"""The equations of the chapter "What does SI really measure?", each as it stands on the page."""

import numpy as np
import pytest
import torch

from equations.quoting import verifies
from si_tutorial import formulas


@verifies("eq-batch-second-moment", r"""
    \begin{aligned}
    \sigma^2 &= \frac{F - \bar g^2}{B} , \\
    \langle g^2 \rangle &= \bar g^2 + \sigma^2 \\
    &= \frac{F}{B} + \Big( 1 - \frac1B \Big)\, \bar g^2 ,
    \end{aligned}
""")
def test_batch_second_moment():
    """Over all 5³ batches of three independent draws from five autograd gradients: no sampling."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5, generator=generator, dtype=torch.float64)
    w = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    grads = np.array([torch.autograd.grad((torch.tanh(w * xi) - 1) ** 2, w)[0].item() for xi in x])
    batches = np.stack(np.meshgrid(grads, grads, grads)).reshape(3, -1).mean(0)     # (125,)
    fisher, mean = (grads**2).mean(), grads.mean()
    assert batches.var() == pytest.approx((fisher - mean**2) / 3)
    assert (batches**2).mean() == pytest.approx(mean**2 + batches.var())
    assert (batches**2).mean() == pytest.approx(fisher / 3 + (1 - 1 / 3) * mean**2)
    assert formulas.noise_variance(fisher, mean, 3) == pytest.approx(batches.var())
    assert formulas.squared_batch_gradient(fisher, mean, 3) == pytest.approx((batches**2).mean())


def run_adam(mean, sigma, *, beta1=0.9, warm=3000, steps=3000, copies=300):
    """torch's Adam on gradients mean + noise, once the moments are warm.

    Returns, averaged over steps and copies: ⟨g m⟩ and the credit −g δ per step.
    """
    theta = torch.zeros(copies, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([theta], lr=1e-3, betas=(beta1, 0.999), eps=1e-14)
    generator, product, credit = torch.Generator().manual_seed(0), 0.0, 0.0
    for t in range(warm + steps):
        theta.grad = mean + sigma * torch.randn(copies, generator=generator, dtype=torch.float64)
        before = theta.detach().clone()
        adam.step()
        if t >= warm:
            product += (theta.grad * adam.state[theta]["exp_avg"]).mean().item() / steps
            credit += formulas.credit(theta.grad, theta.detach() - before).mean().item() / steps
    return product, credit


@verifies("eq-adam-numerator", r"""
    \langle g_t\, m_t \rangle = \bar g^2 + (1 - \beta_1)\, \sigma^2 .
""")
@pytest.mark.parametrize(("mean", "sigma", "beta1"), [(0.5, 1.0, 0.9), (0.1, 1.0, 0.5)])
def test_adam_numerator(mean, sigma, beta1):
    product, _ = run_adam(mean, sigma, beta1=beta1, warm=200)
    assert product == pytest.approx(mean**2 + (1 - beta1) * sigma**2, rel=0.03)


def noise_in_adams_credit(mean, sigma, beta1, *, copies=300, warm=1000, steps=3000):
    """1 − (credit with the mean gradient) / (credit), averaged over steps of torch's Adam."""
    theta = torch.zeros(copies, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([theta], lr=1e-3, betas=(beta1, 0.999))
    generator, online, true = torch.Generator().manual_seed(0), 0.0, 0.0
    for t in range(warm + steps):
        theta.grad = mean + sigma * torch.randn(copies, generator=generator, dtype=torch.float64)
        before = theta.detach().clone()
        adam.step()
        if t >= warm:
            delta = theta.detach() - before
            online += formulas.credit(theta.grad, delta).mean().item()
            true += formulas.credit(torch.tensor(mean), delta).mean().item()
    return 1 - true / online


@verifies("eq-noise-share", r"\frac{(1-\beta_1)\,\sigma^2}{\bar g^2 + (1-\beta_1)\,\sigma^2}")
@pytest.mark.parametrize(("sigma", "beta1"), [(1.0, 0.9), (0.4, 0.6)])
def test_noise_share(sigma, beta1):
    page = (1 - beta1) * sigma**2 / (0.3**2 + (1 - beta1) * sigma**2)
    assert noise_in_adams_credit(0.3, sigma, beta1) == pytest.approx(page, rel=0.03)


@verifies("eq-critical-batch", r"B^* = (1-\beta_1)\, \frac{F - \bar g^2}{\bar g^2} ,")
@pytest.mark.parametrize("beta1", [0.9, 0.5])
def test_critical_batch(beta1):
    """With batches of that size from a population of examples, half of Adam's credit is noise."""
    mean, critical = 0.3, 8
    fisher = mean**2 * (1 + critical / (1 - beta1))               # so that B* is 8
    assert (1 - beta1) * (fisher - mean**2) / mean**2 == pytest.approx(critical)
    sigma = (fisher - mean**2) ** 0.5
    rng = torch.Generator().manual_seed(1)
    examples = mean + sigma * torch.randn(8, 300, 200, generator=rng, dtype=torch.float64)
    examples = examples - examples.mean((0, 1), keepdim=True) + mean
    batch = examples.mean(0)                                       # (300 batches, 200 weights)
    found = noise_in_adams_credit(mean, batch.std().item(), beta1)
    assert found == pytest.approx(0.5, abs=0.02)
    variance = formulas.noise_variance(fisher, mean, critical)
    assert batch.var().item() == pytest.approx(variance, rel=0.03)


@verifies("eq-adam-credit", r"""
    \begin{aligned}
    \omega &\approx (1-\beta_1)\, \eta\, T \sqrt{v} \\
    &\approx (1-\beta_1)\, \eta\, T \sqrt{F/B} .
    \end{aligned}
""")
@pytest.mark.parametrize("beta1", [0.9, 0.5])
def test_adam_credit(beta1):
    """Pure noise from a batch of B: torch's Adam is credited (1−β₁) η √(F/B) a step, to 3 %."""
    fisher, batch, lr = 4.0, 16, 1e-3
    sigma = formulas.noise_variance(fisher, 0.0, batch) ** 0.5
    _, credit = run_adam(0.0, sigma, beta1=beta1)
    assert credit == pytest.approx((1 - beta1) * lr * (fisher / batch) ** 0.5, rel=0.03)
    v = formulas.squared_batch_gradient(fisher, 0.0, batch)
    assert formulas.adam_noise_credit(lr, 7, v, beta1) == pytest.approx(7 * credit, rel=0.03)
    if beta1 == 0.9:      # Adam's own default
        assert formulas.adam_noise_credit(lr, 7, v) == pytest.approx(7 * credit, rel=0.03)


@verifies("eq-sgd-fisher", r"""
    \omega \approx \eta\, T\, \frac{F}{B} \qquad \text{where } \bar g^2 \ll F/B .
""")
def test_sgd_fisher():
    """−Σ g δ of torch's SGD over batches whose gradients are nearly all noise, to 5 %."""
    generator, omega, batch, lr, steps = torch.Generator().manual_seed(0), 0.0, 16, 0.1, 2000
    examples = 2.0 * torch.randn(100_000, generator=generator, dtype=torch.float64) + 0.01
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    sgd = torch.optim.SGD([weight], lr=lr)
    for _ in range(steps):
        rows = torch.randint(len(examples), (batch,), generator=generator)
        weight.grad = examples[rows].mean().view(1)
        before = weight.detach().clone()
        sgd.step()
        omega += formulas.credit(weight.grad, weight.detach() - before).item()
    fisher = (examples**2).mean().item()
    assert examples.mean().item() ** 2 < 0.01 * fisher / batch
    assert omega == pytest.approx(lr * steps * fisher / batch, rel=0.1)
    assert formulas.noise_bias(lr, steps, formulas.noise_variance(fisher, 0.0, batch)) == (
        pytest.approx(lr * steps * fisher / batch))
