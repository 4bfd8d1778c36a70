"""The definitions of the book: what the page writes is what the package computes.

Each is quoted here as the page has it (a page that differs fails), beside the function that
computes it, and read as arithmetic on numbers. Then every mistake that `reading.mutations` can
make in it has to show, so that none of these comparisons is blind.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from equations.quoting import defines, definitions
from equations.reading import Over, UnreadableError, evaluate, mutations, statements
from si_tutorial import fisher, formulas, metrics, quadratic
from si_tutorial.importance import ElasticWeightConsolidation

RNG = np.random.default_rng(0)
OMEGA, DRIFT, THETA, ANCHOR = RNG.normal(size=(4, 3, 5))     # (task, weight) each
GRADS, STEPS = RNG.normal(size=(2, 4, 5))                    # (step, weight)
HESSIAN = np.array([[2.0, 0.7], [0.7, 0.5]])
START, OPTIMUM = np.array([[1.5], [-0.4]]), np.array([[0.2], [0.9]])   # columns
TAU = 0.8

# a linear network with a softmax, and what its per-example gradients are with respect to W
X = torch.tensor(RNG.normal(size=(6, 3)))                    # (example, input)
NETWORK = torch.nn.Linear(3, 4, bias=False, dtype=torch.float64)
NETWORK.weight.data = torch.tensor(RNG.normal(size=(4, 3)))
P = NETWORK(X).softmax(1).detach().numpy()                   # (example, class)


def score(n, y):
    """∇ log p(y|xₙ) with respect to W, as a column."""
    return np.outer(np.eye(4)[y] - P[n], X[n]).reshape(-1, 1)


def nodes(end):
    """Points and weights of an integral over time from 0 to `end`."""
    points, weights = np.polynomial.legendre.leggauss(200)
    return (points + 1) * end / 2, dict(zip((points + 1) * end / 2, weights * end / 2,
                                            strict=True))


def velocity(t):
    """θ̇(t) of gradient flow, a column."""
    at = quadratic.gradient_flow(START[:, 0], HESSIAN, OPTIMUM[:, 0], [t], tau=TAU).T
    return -HESSIAN @ (at - OPTIMUM) / TAU


# ---------------------------------------------------------------- Synaptic Intelligence


@defines("eq-def-path-integral", formulas.path_integral,
         r"\omega_k^\mu = -\sum_t g_k(t)\, \delta_k(t) ,")
def path_integral(function):
    return ({"g_k(t)": lambda t: GRADS[t], r"\delta_k(t)": lambda t: STEPS[t]},
            {r"\sum_t": Over("t", range(4))}, {r"\omega_k^\mu": function(GRADS, STEPS)})


@defines("eq-def-importance", formulas.importance, r"""
\Omega_k^\mu = \sum_{\nu < \mu} \frac{\omega_k^\nu}{(\Delta_k^\nu)^2 + \xi} .
""")
def importance(function):
    return ({r"\omega_k^\nu": lambda nu: OMEGA[nu], r"\Delta_k^\nu": lambda nu: DRIFT[nu],
             r"\xi": 0.3}, {r"\sum_{\nu < \mu}": Over("nu", range(3))},
            {r"\Omega_k^\mu": sum(function(OMEGA[nu], DRIFT[nu], 0.3) for nu in range(3))})


@defines("eq-def-surrogate-loss", formulas.penalty, r"""
\tilde L^\mu(\theta) = L^\mu(\theta) + c \sum_k \Omega_k^\mu \, (\tilde\theta_k - \theta_k)^2 ,
""")
def surrogate_loss(function):
    return ({r"L^\mu(\theta)": 4.2, "c": 0.7, r"\Omega_k^\mu": lambda k: OMEGA[0, k],
             r"\tilde\theta_k": lambda k: ANCHOR[0, k], r"\theta_k": lambda k: THETA[0, k]},
            {r"\sum_k": Over("k", range(5))},
            {r"\tilde L^\mu(\theta)": 4.2 + function(OMEGA[0], ANCHOR[0], THETA[0], 0.7)})


@defines("eq-def-share", quadratic.velocity_gram, r"""
\omega_k = - \int_0^T g_k(\theta(t))\, \dot\theta_k(t)\, dt
""")
def share(function):
    times, weights = nodes(end=2.0)
    gram = function(HESSIAN, (START - OPTIMUM)[:, 0], time=2.0, tau=TAU)
    return ({r"g_k(\theta(t))": lambda t: -TAU * velocity(t)[:, 0],
             r"\dot\theta_k(t)": lambda t: velocity(t)[:, 0], "dt": lambda t: weights[t]},
            {r"\int_0^T": Over("t", times)}, {r"\omega_k": np.diag(gram)})


# -------------------------------------------------------- several tasks, EWC, sensitivity


@defines("eq-def-joint-loss", F.cross_entropy, r"""
L(\theta) = \frac{1}{T} \sum_{\mu=1}^{T} L^\mu(\theta) ,
""")
def joint_loss(function):
    """The tasks are of one size here; then it is the loss of all their examples together."""
    y = torch.tensor([0, 1, 3, 2, 2, 0])
    parts = [function(NETWORK(X[i:i + 2]), y[i:i + 2]).item() for i in (0, 2, 4)]
    return ({r"L^\mu(\theta)": lambda mu: parts[mu], "T": 3},
            {r"\sum_{\mu=1}^{T}": Over("mu", range(3))},
            {r"L(\theta)": function(NETWORK(X), y).item()})


@defines("eq-def-fisher", fisher.fisher_information, r"""
\begin{aligned}
F_k &= \frac1N \sum_{n=1}^N \; \mathbb{E}_{y \sim p(y \mid x_n, \theta)} \\
&\quad \left( \frac{\partial \log p(y \mid x_n, \theta)}{\partial \theta_k} \right)^{\!2} ,
\end{aligned}
""")
def fisher_information(function):
    found = function(NETWORK, [(X, None)])["weight"].numpy().ravel()
    return ({r"\frac{\partial \log p(y \mid x_n, \theta)}{\partial \theta_k}":
             lambda n, y: score(n, y)[:, 0], "N": 6},
            {r"\sum_{n=1}^N": Over("n", range(6)), r"\mathbb{E}_{y \sim p(y \mid x_n, \theta)}":
             Over("y", range(4), weight=lambda n, y: P[n, y])}, {"F_k": found})


@defines("eq-def-fisher-matrix", fisher.fisher_information, r"""
\begin{aligned}
&F = \frac1N \sum_{n=1}^N \; \mathbb{E}_{y \sim p(y \mid x_n, \theta)} \\
&\; \nabla_\theta \log p(y \mid x_n, \theta)\,
\big(\nabla_\theta \log p(y \mid x_n, \theta)\big)^\top ,
\end{aligned}
""")
def fisher_matrix(function):
    """The function gives the diagonal; beside it, Cov(e_y) ⊗ x xᵀ, which a softmax must have."""
    covariances = [np.diag(p) - np.outer(p, p) for p in P]
    whole = np.mean([np.kron(c, np.outer(x, x)) for c, x in zip(covariances, X.numpy(),
                                                                strict=True)], axis=0)
    found = function(NETWORK, [(X, None)])["weight"].numpy().ravel()
    np.testing.assert_allclose(np.diag(whole), found)
    return ({r"\nabla_\theta \log p(y \mid x_n, \theta)": score, "N": 6},
            {r"\sum_{n=1}^N": Over("n", range(6)), r"\mathbb{E}_{y \sim p(y \mid x_n, \theta)}":
             Over("y", range(4), weight=lambda n, y: P[n, y])}, {"F": whole})


@defines("eq-def-ewc-loss", formulas.fisher_importance, r"""
\begin{aligned}
\tilde L^t(\theta) &= L^t(\theta) \\
&\quad + \frac{\lambda}{2} \sum_{s<t} \sum_k F_k^s\, (\theta_k - \theta_k^s)^2 .
\end{aligned}
""")
def ewc_loss(function):
    penalties = [formulas.penalty(function(OMEGA[s]**2), ANCHOR[s], THETA[0], strength=0.7)
                 for s in range(3)]
    return ({r"L^t(\theta)": 4.2, r"\lambda": 0.7, "F_k^s": lambda s, k: OMEGA[s, k]**2,
             r"\theta_k": lambda k: THETA[0, k], r"\theta_k^s": lambda s, k: ANCHOR[s, k]},
            {r"\sum_{s<t}": Over("s", range(3)), r"\sum_k": Over("k", range(5))},
            {r"\tilde L^t(\theta)": 4.2 + sum(penalties)})


@defines("eq-def-online-ewc", ElasticWeightConsolidation, r"""
A \leftarrow \gamma\, A + F^{t} , \qquad b \leftarrow \theta^{t} .
""")
def online_ewc(function):
    net = torch.nn.Linear(3, 4, bias=False, dtype=torch.float64)
    ewc = function(net, anchors="latest", decay=0.6).consolidate([(X, None)])
    before = 2 * ewc.importance["weight"].numpy()
    net.weight.data += 0.5
    ewc.consolidate([(X, None)])
    new = fisher.fisher_information(net, [(X, None)])["weight"].numpy()
    return ({r"\gamma": 0.6, "A": before.ravel(), "F^{t}": new.ravel(),
             r"\theta^{t}": net.weight.detach().numpy()}, {},
            {"A": 2 * ewc.importance["weight"].numpy().ravel(), "b": ewc.anchor["weight"].numpy()})


@defines("eq-def-sensitivity", fisher.output_sensitivity, r"""
M_k = \frac1N \sum_{n=1}^N \left| \frac{\partial\, \lVert f(x_n; \theta) \rVert^2}
{\partial \theta_k} \right| ,
""")
def sensitivity(function):
    """‖W x‖² has the derivatives 2 (W x)ᵢ xⱼ."""
    found = function(NETWORK, [(X, None)])["weight"].numpy().ravel()
    outputs = NETWORK(X).detach().numpy()
    return ({r"\frac{\partial\, \lVert f(x_n; \theta) \rVert^2}{\partial \theta_k}":
             lambda n: 2 * np.outer(outputs[n], X[n]).ravel(), "N": 6},
            {r"\sum_{n=1}^N": Over("n", range(6))}, {"M_k": found})


# ---------------------------------------------------------------------- the quadratic case


@defines("eq-def-quadratic-loss", quadratic.loss,
         r"E(\theta) = \tfrac12\, (\theta - \theta^*)^\top H\, (\theta - \theta^*)")
def quadratic_loss(function):
    return ({r"\theta": START, r"\theta^*": OPTIMUM, "H": HESSIAN}, {},
            {r"E(\theta)": function(START[:, 0], HESSIAN, OPTIMUM[:, 0])})


@defines("eq-def-gradient-flow", quadratic.gradient_flow,
         r"\tau\, \dot\theta = -H\,(\theta - \theta^*) .")
def gradient_flow(function):
    before, there, after = function(START[:, 0], HESSIAN, OPTIMUM[:, 0], [0.4, 0.401, 0.402],
                                    tau=TAU)[:, :, None]
    return ({r"\theta": there, r"\theta^*": OPTIMUM, "H": HESSIAN}, {},
            {r"\tau\, \dot\theta": TAU * (after - before) / 0.002})


@defines("eq-def-velocity-gram", quadratic.velocity_gram,
         r"Q = \tau \int_0^\infty \dot\theta\, \dot\theta^\top\, dt ,")
def velocity_gram(function):
    times, weights = nodes(end=60.0)
    return ({r"\tau": TAU, r"\dot\theta": velocity, "dt": lambda t: weights[t]},
            {r"\int_0^\infty": Over("t", times)}, {"Q": function(HESSIAN, (START - OPTIMUM)[:, 0])})


@defines("eq-def-isotropic-start", quadratic.velocity_gram,
         r"\langle d\, d^\top \rangle = \sigma^2 I ,")
def isotropic_start(function):
    """Four starts around the optimum; over them ⟨Q⟩ is ½ σ² H, as the page goes on to say."""
    starts = [0.6 * np.array([[a], [b]]) for a in (-1, 1) for b in (-1, 1)]
    mean = sum(function(HESSIAN, start[:, 0]) for start in starts) / 4
    np.testing.assert_allclose(mean, 0.5 * 0.6**2 * HESSIAN)
    return ({r"\sigma": 0.6, "I": np.eye(2)}, {},
            {r"\langle d\, d^\top \rangle": sum(start @ start.T for start in starts) / 4})


# --------------------------------------------------------------- what SI really measures


@defines("eq-def-adam", torch.optim.Adam, r"""
\begin{aligned}
m_t &= \beta_1 m_{t-1} + (1-\beta_1)\, g_t , \qquad \\
v_t &= \beta_2 v_{t-1} + (1-\beta_2)\, g_t^2 , \qquad \\
\delta_t &= -\eta\, \frac{m_t}{\sqrt{v_t}}
\end{aligned}
""")
def adam(function):
    """After many steps, when the correction of PyTorch's averages for their start has died."""
    theta = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimizer = function([theta], lr=0.1, betas=(0.5, 0.4), eps=0)
    for step in range(80):
        old = {name: optimizer.state[theta].get(name, torch.zeros(5)).numpy().copy()
               for name in ("exp_avg", "exp_avg_sq")}
        before = theta.detach().numpy().copy()
        theta.grad = torch.tensor(GRADS[step % 4])
        optimizer.step()
    new = {name: optimizer.state[theta][name].numpy() for name in old}
    return ({r"\beta_1": 0.5, r"\beta_2": 0.4, "g_t": GRADS[3], r"\eta": 0.1,
             "m_{t-1}": old["exp_avg"], "v_{t-1}": old["exp_avg_sq"],
             "m_t": new["exp_avg"], "v_t": new["exp_avg_sq"]}, {},
            {"m_t": new["exp_avg"], "v_t": new["exp_avg_sq"],
             r"\delta_t": theta.detach().numpy() - before})


@defines("eq-def-cosine", F.cosine_similarity, r"""
\begin{aligned}
&\cos(\omega, \omega') \\
&\quad = \frac{\sum_k \omega_k\, \omega_k'}
{\sqrt{\sum_k \omega_k^2}\, \sqrt{\sum_k \omega_k'^2}}
\end{aligned}
""")
def cosine(function):
    one, other = torch.tensor(OMEGA[0]), torch.tensor(OMEGA[1])
    return ({r"\omega_k": lambda k: OMEGA[0, k], r"\omega_k'": lambda k: OMEGA[1, k]},
            {r"\sum_k": Over("k", range(5))},
            {r"\cos(\omega, \omega')": function(one, other, dim=0).item()})


# ------------------------------------------------------------------------------------ CIFAR

PLAIN, ALONE, HELD = RNG.random((3, 6, 6))                   # accuracy, (trained, tested)
LATER = {r"\sum_{j=2}^{T}": Over("j", range(1, 6))}          # all tasks but the first


@defines("eq-def-transfer", metrics.transfer, r"""
\mathrm{transfer} = \frac{1}{T-1} \sum_{j=2}^{T}
\left( R^{\text{plain}}_{jj} - R^{\text{alone}}_{jj} \right) ,
""")
def transfer(function):
    return ({"T": 6, r"R^{\text{plain}}_{jj}": lambda j: PLAIN[j, j],
             r"R^{\text{alone}}_{jj}": lambda j: ALONE[j, j]}, LATER,
            {r"\mathrm{transfer}": function(PLAIN, ALONE)})


@defines("eq-def-protection-cost", metrics.protection_cost, r"""
\mathrm{cost} = \frac{1}{T-1} \sum_{j=2}^{T}
\left( R^{\text{plain}}_{jj} - R^{\text{SI}}_{jj} \right) .
""")
def protection_cost(function):
    return ({"T": 6, r"R^{\text{SI}}_{jj}": lambda j: HELD[j, j],
             r"R^{\text{plain}}_{jj}": lambda j: PLAIN[j, j]}, LATER,
            {r"\mathrm{cost}": function(HELD, PLAIN)})


@defines("eq-def-retention", metrics.retention, r"""
\mathrm{retention} = \frac{1}{T-1} \sum_{j=2}^{T}
\left( R^{\text{SI}}_{Tj} - R^{\text{SI}}_{jj} \right) .
""")
def retention(function):
    return ({"T": 6, r"R^{\text{SI}}_{Tj}": lambda j: HELD[5, j],
             r"R^{\text{SI}}_{jj}": lambda j: HELD[j, j]}, LATER,
            {r"\mathrm{retention}": function(HELD)})


# ------------------------------------------------------------------------------ the tests


@pytest.mark.parametrize("label", definitions())
def test_a_definition_reads_what_its_function_computes(label):
    definition = definitions()[label]
    definition.check_the_page()
    atoms, binders, values = definition.meaning()
    sides = statements(definition.latex)
    assert [left for left, _ in sides] == list(values)
    for left, right in sides:
        assert agree(evaluate(right, atoms, binders), values[left])


@pytest.mark.parametrize("label", definitions())
def test_a_mistake_in_a_definition_would_show(label):
    definition = definitions()[label]
    atoms, binders, values = definition.meaning()
    for left, right in statements(definition.latex):
        for wrong in mutations(right):
            try:
                seen = not agree(evaluate(wrong, atoms, binders), values[left])
            except UnreadableError:
                seen = True
            assert seen, f"{label} could as well read {wrong}"


def agree(one, other):
    return np.allclose(np.squeeze(one), np.squeeze(other), rtol=1e-5, atol=1e-12)
