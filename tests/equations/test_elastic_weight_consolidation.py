"""The equations of the chapter on elastic weight consolidation."""

import itertools

import numpy as np
import pytest
import torch
from torch.func import grad, hessian

from equations.quoting import verifies
from si_tutorial import formulas
from si_tutorial.fisher import fisher_information

torch.set_num_threads(1)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def logits(theta, x):
    """A two-layer network with 3·4 + 4·3 weights, `(batch, 3)`."""
    return torch.tanh(x @ theta[:12].view(3, 4)) @ theta[12:].view(4, 3)


# one weight, two tasks of yes-or-no data, and the posterior on a grid with a flat prior
GRID = np.linspace(-4, 4, 801)


def likelihood(x, y):
    """p(D | θ) on the grid, for logistic regression with one weight."""
    return np.prod(1 / (1 + np.exp(-np.outer(GRID, x) * y)), axis=1)


def posterior(x, y, prior):
    unnormalised = likelihood(x, y) * prior
    return unnormalised / unnormalised.sum()


def mean_loss(x, y):
    return np.log1p(np.exp(-np.outer(GRID, x) * y)).mean(1)


def toy(seed, size=8):
    make = np.random.default_rng(seed)
    return make.normal(size=size), make.choice([-1, 1], size=size)


@verifies("eq-bayes-over-tasks", r"""
p(\theta \mid D_A, D_B) \propto p(D_B \mid \theta)\; p(\theta \mid D_A) .""")
def test_one_task_after_the_other_is_both_at_once():
    (x1, y1), (x2, y2) = toy(0), toy(1)
    prior = np.exp(-(GRID**2) / 8)
    both = posterior(np.append(x1, x2), np.append(y1, y2), prior)
    in_turn = posterior(x2, y2, posterior(x1, y1, prior))
    np.testing.assert_allclose(in_turn, both, rtol=1e-10)


@verifies("eq-posterior-is-loss", r"""
-\log p(\theta \mid D_A) = N_A\, L^A(\theta) + \mathrm{const} .""")
def test_the_log_posterior_is_the_loss():
    x, y = toy(2)
    difference = -np.log(posterior(x, y, np.ones_like(GRID))) - len(x) * mean_loss(x, y)
    np.testing.assert_allclose(difference, difference[0], rtol=1e-10)


@verifies("eq-two-tasks-one-loss", r"""
\begin{aligned}
&-\frac{1}{N_B} \log p(\theta \mid D_A, D_B) \\
&\quad = L^B(\theta) + \frac{N_A}{N_B}\, L^A(\theta) + \mathrm{const} .
\end{aligned}""")
def test_the_old_loss_counts_as_often_as_it_has_examples():
    (x_a, y_a), (x_b, y_b) = toy(0, size=5), toy(1, size=12)
    both = posterior(np.append(x_a, x_b), np.append(y_a, y_b), np.ones_like(GRID))
    difference = -np.log(both) / 12 - mean_loss(x_b, y_b) - 5 / 12 * mean_loss(x_a, y_a)
    np.testing.assert_allclose(difference, difference[0], rtol=1e-10)


@verifies("eq-laplace", r"""
\begin{aligned}
L^A(\theta) &\approx L^A(\theta^A) \\
&\quad + \tfrac12\, (\theta - \theta^A)^\top H\, (\theta - \theta^A) .
\end{aligned}""")
def test_the_second_order_is_right_to_third_order():
    """At a minimum the error falls a thousandfold when the distance falls tenfold."""
    x, y = random(30, 2), torch.arange(30) % 2

    def loss(w):
        z = torch.stack([torch.zeros(30, dtype=torch.float64), x @ w], 1)
        return torch.nn.functional.cross_entropy(z, y)

    w = torch.zeros(2, dtype=torch.float64)
    for _ in range(30):
        w = w - torch.linalg.solve(hessian(loss)(w), grad(loss)(w))
    curvature, direction = hessian(loss)(w), random(2, seed=5)

    def error(size):
        d = size * direction
        return float(loss(w + d) - loss(w) - 0.5 * d @ curvature @ d)

    assert abs(error(1e-1)) < 0.1 * 0.5 * 1e-2 * float(direction @ curvature @ direction)
    assert error(1e-3) == pytest.approx(error(1e-2) / 1000, rel=0.2)


@verifies("eq-fisher-is-curvature", r"""
\begin{aligned}
&\mathbb{E}_{y} \left( \frac{\partial \log p(y \mid x, \theta)}{\partial \theta_k} \right)^{\!2} \\
&\quad = -\, \mathbb{E}_{y}\, \frac{\partial^2 \log p(y \mid x, \theta)}{\partial \theta_k^2} , \\
&y \sim p(y \mid x, \theta) .
\end{aligned}""")
def test_the_mean_square_of_the_slope_is_the_mean_curvature():
    """For a network that is linear in nothing, and at weights that are no minimum."""
    theta, x = random(24), random(1, 3, seed=1)
    p = logits(theta, x).softmax(1)[0]
    slopes, curvatures = 0, 0
    for y in range(3):
        def log_p(t, y=y):
            return logits(t, x).log_softmax(1)[0, y]
        slopes = slopes + p[y] * grad(log_p)(theta) ** 2
        curvatures = curvatures - p[y] * hessian(log_p)(theta).diagonal()
    torch.testing.assert_close(slopes, curvatures)
    assert slopes.min() > 0


@verifies("eq-curvature-of-a-probability", r"""
\begin{aligned}
\frac{\partial^2 p}{\partial \theta_k^2}
&= p\, \Biggl[ \left( \frac{\partial \log p}{\partial \theta_k} \right)^{\!2} \\
&\qquad + \frac{\partial^2 \log p}{\partial \theta_k^2} \Biggr] .
\end{aligned}""")
def test_the_curvature_of_a_probability_is_that_of_its_logarithm_and_a_square():
    """The step that makes the last equation plain: summed over the labels the left side is 0."""
    theta, x = random(24), random(1, 3, seed=1)
    summed = 0
    for y in range(3):
        def p(t, y=y):
            return logits(t, x).softmax(1)[0, y]

        def log_p(t, y=y):
            return logits(t, x).log_softmax(1)[0, y]
        left = hessian(p)(theta).diagonal()
        inside = grad(log_p)(theta) ** 2 + hessian(log_p)(theta).diagonal()
        torch.testing.assert_close(left, p(theta) * inside)
        summed = summed + left
    torch.testing.assert_close(summed, torch.zeros_like(summed), rtol=0, atol=1e-12)


@verifies("eq-contraction", r"""
\begin{aligned}
\sum_n \left( \frac{\partial \ell_n}{\partial W_{ij}} \right)^{\!2}
&= \sum_n (g_{ni})^2\, (x_{nj})^2 , \\
g_{ni} &= \frac{\partial \ell_n}{\partial (W x_n)_i} ,
\end{aligned}""")
def test_the_squares_of_a_layer_are_one_matrix_product():
    x, weight, y = random(6, 3), random(4, 3, seed=1), torch.tensor([0, 1, 2, 3, 0, 1])

    def loss(w, n):
        return torch.nn.functional.cross_entropy(torch.tanh(w @ x[n]), y[n])

    looped = sum(grad(loss)(weight, n) ** 2 for n in range(6))
    g = torch.stack([grad(lambda z, n=n: torch.nn.functional.cross_entropy(torch.tanh(z), y[n]))(
        weight @ x[n]) for n in range(6)])
    torch.testing.assert_close(torch.einsum("ni,nj->ij", g**2, x**2), looped)
    layer = torch.nn.Linear(3, 4, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
    measured = fisher_information(layer, [(x, y)], labels="true",
                                  forward=lambda x: torch.tanh(layer(x)))
    torch.testing.assert_close(6 * measured["weight"], looped)


@verifies("eq-sum-of-parabolas", r"""
\begin{aligned}
&\sum_s F^s\, (\theta - \theta^s)^2 \\
&\quad = A\, (\theta - b)^2 + \mathrm{const}, \\
&A = \sum_s F^s , \quad b = \frac1A \sum_s F^s\, \theta^s .
\end{aligned}""")
def test_parabolas_add_up_to_a_parabola():
    make = np.random.default_rng(0)
    fisher, ends, theta = make.random(5), make.normal(size=5), np.linspace(-3, 3, 50)
    summed = (fisher * (theta[:, None] - ends) ** 2).sum(1)
    a, b = fisher.sum(), (fisher * ends).sum() / fisher.sum()
    constant = summed - a * (theta - b) ** 2
    np.testing.assert_allclose(constant, constant[0], rtol=1e-10)
    merged, so_far = 0.0, 0.0
    for f, end in zip(fisher, ends, strict=True):  # one after another, as the package does it
        merged = formulas.merged_anchor(so_far, merged, f, end)
        so_far += f
    assert merged == pytest.approx(b) and so_far == pytest.approx(a)


@verifies("eq-batch-mean-square", r"""
\begin{aligned}
&\mathbb{E} \Bigl( \frac1B \sum_{n=1}^B g_n \Bigr)^{\!2} \\
&\quad = \frac1B\, \mathbb{E}\, g^2
+ \Bigl( 1 - \frac1B \Bigr) \bigl( \mathbb{E}\, g \bigr)^2 .
\end{aligned}""")
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_what_the_square_of_a_batch_mean_is(size):
    """Over all batches that can be drawn, enumerated."""
    gradients = np.array([2.0, -1.0, 0.5, 3.0])
    drawn = [np.mean(batch) ** 2 for batch in itertools.product(gradients, repeat=size)]
    expected = (gradients**2).mean() / size + (1 - 1 / size) * gradients.mean() ** 2
    assert np.mean(drawn) == pytest.approx(expected)


JACOBIAN_AT = random(24, seed=3)  # the weights at which the outputs are differentiated


def outputs_and_slopes(x):
    """z (3,) of one input, and j = ∂z/∂θ (3, 24), at `JACOBIAN_AT`."""
    z = logits(JACOBIAN_AT, x)[0]
    return z, torch.func.jacrev(lambda t: logits(t, x)[0])(JACOBIAN_AT)


def answers(z):
    """All y of three yes-or-no answers, with their probabilities."""
    p = z.sigmoid()
    for y in itertools.product((0.0, 1.0), repeat=3):
        y = torch.tensor(y, dtype=z.dtype)
        yield (p**y * (1 - p) ** (1 - y)).prod(), y


def numbers(z):
    """Three numbers around z, on the nodes of a quadrature that is exact for squares."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    weights /= weights.sum()
    for i in itertools.product(range(3), repeat=3):
        yield weights[list(i)].prod(), z + torch.tensor(nodes[list(i)])


LOG_P = {  # log p(y|z) and every y with its probability
    "categorical": (lambda z, y: z.log_softmax(0)[y], lambda z: enumerate_classes(z)),
    "bernoulli": (lambda z, y: -torch.nn.functional.binary_cross_entropy_with_logits(
        z, y, reduction="sum"), answers),
    "gaussian": (lambda z, y: -((y - z) ** 2).sum() / 2, numbers)}


def enumerate_classes(z):
    return ((p, y) for y, p in enumerate(z.softmax(0)))


@verifies("eq-fisher-of-outputs", r"""
\begin{aligned}
&\mathbb{E}_{y} \left( \frac{\partial \log p(y \mid x, \theta)}{\partial \theta_k} \right)^{\!2} \\
&\quad = j_k^\top \,\mathrm{Cov}(y)\, j_k , \\
&\mathrm{Cov}(y) = \\
&\begin{cases}
\mathrm{diag}(p) - p\, p^\top & \text{one of } C \text{ classes,} \\
\mathrm{diag}\bigl( p (1 - p) \bigr) & C \text{ answers, yes or no,} \\
I & C \text{ numbers.}
\end{cases}
\end{aligned}""")
@pytest.mark.parametrize("likelihood", ["categorical", "bernoulli", "gaussian"])
def test_the_fisher_of_a_weight_is_the_covariance_of_the_label_seen_through_the_outputs(likelihood):
    x = random(1, 3, seed=4)
    z, j = outputs_and_slopes(x)
    log_p, every_y = LOG_P[likelihood]
    looped = sum(p * grad(lambda t, y=y: log_p(logits(t, x)[0], y))(JACOBIAN_AT) ** 2
                 for p, y in every_y(z))
    p = z.softmax(0) if likelihood == "categorical" else z.sigmoid()
    covariance = {"categorical": torch.diag(p) - torch.outer(p, p),
                  "bernoulli": torch.diag(p * (1 - p)),
                  "gaussian": torch.eye(3, dtype=p.dtype)}[likelihood]
    torch.testing.assert_close(torch.einsum("ck,cd,dk->k", j, covariance, j), looped)
    formula = {"categorical": lambda: formulas.categorical_fisher(p, j),
               "bernoulli": lambda: formulas.bernoulli_fisher(p, j),
               "gaussian": lambda: formulas.gaussian_fisher(j)}[likelihood]
    torch.testing.assert_close(formula(), looped)
