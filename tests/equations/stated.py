"""What formulas in running text state, with numbers on which it can be checked.

STATED: formula → a function that gives what its letters are worth (`atoms`, and `binders` as
`reading.evaluate` takes them; `worth` for a formula without a relation). ASSUMED: formula → what
it introduces; there is nothing to check in it.
"""

from itertools import product

import numpy as np
import torch
from scipy.linalg import expm

from equations.reading import Over
from si_tutorial import formulas, quadratic

# ---------------------------------------------------- one weight, a parabola, and a penalty

H, C, OMEGA, D = 1.7, 0.6, 0.4, 1.3        # curvature, strength, importance, shift
MOVED = H * D / (H + 2 * C * OMEGA)        # where h (x − D) + 2 c Ω x vanishes
ONE = {"h": H, "c": C, r"\Omega": OMEGA, "D": D, r"\Delta": MOVED, "x": MOVED}
STEPS = np.array([0.3, -0.1, 0.25, 0.2])


def surrogate(x):
    return H / 2 * (x - D) ** 2 + C * OMEGA * x**2


def strong():
    """A large importance: the limit in which it grows slowly."""
    omega, damping = 1e5, 1e-3
    moved = H * D / (H + 2 * C * omega)
    return {"h": H, "c": C, "D": D, r"\xi": damping, r"\Omega": omega, r"\Delta": moved,
            r"\omega": moved**2 * (H / 2 + 2 * C * omega)},


def momentum(lr=0.3, beta=0.6):
    """Four positions of SGD with momentum on a parabola."""
    theta = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([theta], lr=lr, momentum=beta)
    found = []
    for _ in range(4):
        found.append(theta.item())
        optimizer.zero_grad()
        (H / 2 * theta**2).sum().backward()
        optimizer.step()
    return {r"\beta": beta, r"\eta": lr, "h": H}, found


def step_of_momentum():
    atoms, places = momentum()
    return atoms | {"x_{t+1}": places[3], "x_t": places[2], "x_{t-1}": places[1]},


def root_of_momentum():
    """The quotient of successive positions once the larger root has won."""
    beta, lr = 0.6, 0.02
    x, before = 1.0, 1.0
    for _ in range(400):
        x, before = (1 + beta - lr * H) * x - beta * before, x
    return {r"\beta": beta, r"\eta": lr, "h": H, "z": x / before},


# ------------------------------------------------------------- several weights, gradient flow

HESSIAN, TAU, SIGMA = np.array([[2.0, 0.7], [0.7, 0.5]]), 0.8, 0.6
OFFSET, OPTIMUM = np.array([[1.3], [-1.3]]), np.array([[0.2], [0.9]])
CURVATURES, DIRECTIONS = quadratic.spectrum(HESSIAN)
GRAM = quadratic.velocity_gram(HESSIAN, OFFSET[:, 0])
UNIT = np.array([[0.6], [0.8]])
FLAT = 1.9 * UNIT @ UNIT.T                 # one direction is flat
MATRIX = {"H": HESSIAN, "d": OFFSET, "I": np.eye(2), r"\tau": TAU, r"\sigma": SIGMA,
          "g": HESSIAN @ OFFSET, r"\theta^*": OPTIMUM, "Q": GRAM,
          r"\operatorname{tr}(H)": np.trace(HESSIAN), r"\det(H)": np.linalg.det(HESSIAN),
          r"\operatorname{tr} H": np.trace(HESSIAN), r"\det H": np.linalg.det(HESSIAN),
          r"e^{-Ht/\tau}": expm(-HESSIAN * 0.4 / TAU)}
SECOND, SHIFT = np.array([[1.0, -0.3], [-0.3, 0.8]]), np.array([[0.7], [-1.1]])
IMPORTANCES = np.diag([0.9, 0.2])


def at(t):
    return quadratic.gradient_flow((OPTIMUM + OFFSET)[:, 0], HESSIAN, OPTIMUM[:, 0], [t],
                                   tau=TAU).T


def slope(function, t=0.4, step=1e-5):
    return (function(t + step) - function(t - step)) / (2 * step)


def integrand(t):
    decay = expm(-HESSIAN * t / TAU)
    return decay @ HESSIAN @ OFFSET @ OFFSET.T @ HESSIAN @ decay


def starts(root, centre=0.0):
    """Four offsets with the covariance root · rootᵀ around `centre`."""
    return [centre + root @ np.array([[a], [b]]) for a, b in product((-1, 1), repeat=2)]


def mean(function, offsets):
    return sum(function(d) for d in offsets) / len(offsets)


def moved(hessian, d):
    """The displacement of gradient flow, long after the start."""
    end = quadratic.gradient_flow(d[:, 0], hessian, 0.0, [1e3])
    return (end - d[:, 0]).T


def eigenvector(alpha, hessian=HESSIAN):
    return quadratic.spectrum(hessian)[1][:, [alpha]]


def flow_integral():
    points, weights = np.polynomial.legendre.leggauss(200)
    at_nodes = dict(zip(30 * (points + 1), 30 * weights, strict=True))
    return ({r"\omega_k": np.diag(GRAM), r"\tau": TAU, "dt": lambda t: at_nodes[t],
             r"\dot\theta_k": lambda t: (-HESSIAN @ (at(t) - OPTIMUM) / TAU)[:, 0]},
            {r"\int": Over("t", at_nodes)})


def softmax():
    """p of three classes, by the gradient with respect to the logits."""
    p = np.array([0.2, 0.5, 0.3])
    log = np.eye(3) - p                    # row y: ∇ log p(y)
    return ({"p": lambda y: p[y], r"\nabla\log p": lambda y: log[y],
             r"\nabla p": lambda y: p[y] * log[y], r"\nabla 1": np.zeros(3)},
            {r"\sum_y": Over("y", range(3))})


def preconditioned_starts():
    """Starts with the covariance σ² H⁻¹."""
    root = np.linalg.cholesky(np.linalg.inv(HESSIAN)) * SIGMA
    gram = mean(lambda d: quadratic.velocity_gram(HESSIAN, d[:, 0]), starts(root))
    squares = mean(lambda d: moved(HESSIAN, d)[:, 0] ** 2, starts(root))
    return MATRIX | {r"\langle Q\rangle": gram, r"\langle\Delta_k^2\rangle": squares,
                     "(H^{-1})_{kk}": np.diag(np.linalg.inv(HESSIAN))},


def isotropic_starts(hessian):
    squares = mean(lambda d: moved(hessian, d)[:, 0] ** 2, starts(SIGMA * np.eye(2)))
    return {r"\langle\Delta_k^2\rangle": squares, r"\sigma": SIGMA,
            "P_{kk}": np.diag(quadratic.range_projector(hessian))},


def off_centre_starts():
    b = np.array([[0.4], [-0.7]])
    return {r"\sigma": SIGMA, "I": np.eye(2), "b": b,
            r"\langle d\, d^\top \rangle": mean(lambda d: d @ d.T,
                                                starts(SIGMA * np.eye(2), b))},


def first_quotient():
    """ω₁/Δ₁² of a bowl in the plane, and the letters of its tail."""
    quotient = GRAM[0, 0] / OFFSET[0, 0] ** 2
    return MATRIX | {"H_{11}": HESSIAN[0, 0], "H_{12}": HESSIAN[0, 1], "d_1": OFFSET[0, 0],
                     "d_2": OFFSET[1, 0], "q": quotient,
                     "s": abs(HESSIAN[0, 0] + HESSIAN[0, 1] * OFFSET[1, 0] / OFFSET[0, 0])}


def flat():
    projector = quadratic.range_projector(FLAT)
    return {"P": projector, "d": OFFSET, "u": UNIT, r"u \cdot d": (UNIT.T @ OFFSET).item(),
            r"\Delta": moved(FLAT, OFFSET), r"\lambda": 1.9, "u_k": UNIT[:, 0],
            "H_{kk}": np.diag(FLAT), "Q": quadratic.velocity_gram(FLAT, OFFSET[:, 0]),
            r"u^\alpha": lambda alpha: eigenvector(alpha, FLAT),
            r"u^{\alpha\top}": lambda alpha: eigenvector(alpha, FLAT).T}


def two_tasks():
    stiffness = SECOND + 2 * C * IMPORTANCES
    return {"H_2": SECOND, "D": SHIFT, "c": C, r"\Omega": IMPORTANCES,
            r"\Delta": np.linalg.solve(stiffness, SECOND @ SHIFT)},


# ------------------------------------------------------------------------------ noise, Adam

NOISY = {r"\eta": 0.1, r"\bar g_k": 0.8, "n_k": -0.3, r"\delta_k": -0.1 * (0.8 - 0.3)}
ADAM = {r"\eta": 0.1, r"\beta_1": 0.3, "g_t": 0.8, "m_t": 0.5, "v_t": 0.6, r"\bar g": 0.7,
        r"\sigma": 0.9, "v": 0.81, "F": 8.1, "B": 10.0,
        r"\delta_t": -0.1 * 0.5 / 0.6**0.5}


def adams_mean():
    grads = np.array([0.4, -1.0, 0.3, 0.8, 2.0])
    m = 0.0
    for g in grads:
        m = 0.3 * m + 0.7 * g
    return ({r"\beta_1": 0.3, "m_t": m, r"\beta_1^j": lambda j: 0.3**j,
             "g_{t-j}": lambda j: grads[4 - j]}, {r"\sum_{j\ge0}": Over("j", range(5))})


def adams_credit():
    """The mean of g·m over all noises of ±σ in ten steps, which is long for β₁ = 0.3."""
    total = 0.0
    for noise in product((-0.9, 0.9), repeat=10):
        m = 0.7                            # as if it had run on the mean gradient before
        for n in noise:
            m = 0.3 * m + 0.7 * (0.7 + n)
        total += (0.7 + noise[-1]) * m
    return ADAM, None, 0.1 * total / 2**10 / 0.9


def middle_of(*optima):
    """The minimum of the sum of equal parabolas."""
    return sum(optima) / len(optima)


STATED = {
    # the path integral, held back
    r"dL/dt = \sum_k g_k \dot\theta_k": lambda: (
        {"dL/dt": slope(lambda t: quadratic.loss(at(t)[:, 0], HESSIAN, OPTIMUM[:, 0])),
         "g_k": lambda k: (HESSIAN @ (at(0.4) - OPTIMUM))[k, 0],
         r"\dot\theta_k": lambda k: slope(at)[k, 0]}, {r"\sum_k": Over("k", range(2))}),
    r"h\,(x-D) + 2c\,\Omega\,x = 0": lambda: (ONE,),
    r"h D = (h + 2c\,\Omega)\,\Delta": lambda: (ONE,),
    r"\Delta = hD/(h + 2c\,\Omega)": lambda: (ONE,),
    r"(x+\delta_k)^2 - x^2 = 2x\delta_k + \delta_k^2": lambda: (ONE | {r"\delta_k": 0.3},),
    r"2\sum_t x\,\delta_k = \Delta_k^2 - \sum_t \delta_k^2": lambda: (
        {r"\delta_k": lambda t: STEPS[t], "x": lambda t: STEPS[:t].sum(),
         r"\Delta_k": STEPS.sum()}, {r"\sum_t": Over("t", range(4))}),
    r"\omega^{\text{total}}/\Delta^2 = h/2 + c\,\Omega": lambda: (
        ONE | {r"\omega^{\text{total}}": surrogate(0) - surrogate(MOVED)},),
    r"\omega/\xi \approx 2c\,\Omega\,\Delta^2/\xi \approx h^2 D^2/(2c\,\xi\,\Omega)": strong,
    r"\omega_k/(\Delta_k^2 + \xi)": lambda: (
        {r"\omega_k": 0.7, r"\Delta_k": 0.4, r"\xi": 0.1}, None,
        formulas.importance(0.7, 0.4, 0.1)),
    # noise
    r"H\delta = -\eta H g": lambda: (
        MATRIX | {r"\eta": 0.1, r"\delta": -0.1 * HESSIAN @ OFFSET},),
    r"-\bar g_k\delta_k = \eta\,(\bar g_k^2 + \bar g_k n_k)": lambda: (NOISY,),
    r"\eta\,\langle n_k^2\rangle = \eta\,\sigma_k^2": lambda: (
        {r"\eta": 0.1, r"\langle n_k^2\rangle": np.mean([0.25, 0.25]), r"\sigma_k": 0.5},),
    r"\omega_k = \tau \int \dot\theta_k^2\, dt": flow_integral,
    # the quadratic case
    r"H u^\alpha = \lambda^\alpha u^\alpha": lambda: (
        MATRIX | {r"u^\alpha": eigenvector(1), r"\lambda^\alpha": CURVATURES[1]},),
    r"\lambda^\alpha\lambda^\alpha/(2\lambda^\alpha) = \lambda^\alpha/2": lambda: (
        {r"\lambda^\alpha": CURVATURES[1]},),
    r"\theta - \theta^* = e^{-Ht/\tau} d": lambda: (MATRIX | {r"\theta": at(0.4)},),
    r"\dot\theta = -\tfrac1\tau H e^{-Ht/\tau} d": lambda: (
        MATRIX | {r"\dot\theta": slope(at)},),
    r"\dot M = -\tfrac1\tau (H M + M H)": lambda: (
        MATRIX | {"M": integrand(0.4), r"\dot M": slope(integrand)},),
    r"(\lambda^\alpha + \lambda^\beta)\, Q^{\alpha\beta} = "
    r"\lambda^\alpha d^\alpha d^\beta \lambda^\beta": lambda: (
        {r"\lambda^\alpha": CURVATURES[0], r"\lambda^\beta": CURVATURES[1],
         r"Q^{\alpha\beta}": (eigenvector(0).T @ GRAM @ eigenvector(1)).item(),
         r"d^\alpha": (eigenvector(0).T @ OFFSET).item(),
         r"d^\beta": (eigenvector(1).T @ OFFSET).item()},),
    r"g = H d": lambda: (
        MATRIX | {"g": quadratic.gradient(OFFSET[:, 0], HESSIAN, 0.0)[:, None]},),
    r"H^2 = \operatorname{tr}(H)\, H - \det(H)\, I": lambda: (MATRIX,),
    r"Hg = \operatorname{tr}(H)\, g - \det(H)\, d": lambda: (MATRIX,),
    r"\langle\Delta_k^2\rangle = \sigma^2": lambda: isotropic_starts(HESSIAN),
    r"\langle\Delta_k^2\rangle = \sigma^2 P_{kk}": lambda: isotropic_starts(FLAT),
    r"\langle d\, d^\top \rangle = \sigma^2 I + b\, b^\top": off_centre_starts,
    r"\langle Q\rangle = \tfrac12\sigma^2 I": preconditioned_starts,
    r"H\langle Q\rangle + \langle Q\rangle H = \sigma^2 H": preconditioned_starts,
    r"\langle\Delta_k^2\rangle = \sigma^2 (H^{-1})_{kk}": preconditioned_starts,
    r"P = \sum_{\lambda^\alpha > 0} u^\alpha u^{\alpha\top}": lambda: (
        flat(), {r"\sum_{\lambda^\alpha > 0}": Over("alpha", [1])}),
    r"\Delta = -P d": lambda: (flat(),),
    r"P P^\top = P": lambda: (flat(),),
    r"\Delta = -(u \cdot d)\, u": lambda: (flat(),),
    r"Q = \tfrac12 \lambda\, (u\cdot d)^2\, u\, u^\top": lambda: (flat(),),
    r"\lambda\, u_k^2 = H_{kk}": lambda: (flat(),),
    r"\big( (H_{11} + H_{12}\, d_2/d_1)^2 + \det H \big) / (2 \operatorname{tr} H)": lambda: (
        first_quotient(), None, first_quotient()["q"]),
    r"s^2 = 2q \operatorname{tr} H - \det H": lambda: (first_quotient(),),
    r"\sum_y p\,\nabla\log p = \sum_y \nabla p = \nabla 1 = 0": softmax,
    r"H_2 (\Delta - D) + 2 c\, \Omega\, \Delta = 0": two_tasks,
    r"h_2 D/(h_2 + c\,h_1)": lambda: (
        {"h_1": 0.9, "h_2": H, "D": D, "c": C}, None,
        np.linalg.solve([[H + 2 * C * 0.45]], [H * D])[0]),
    r"\eta\, g^2 = \eta\, h^2 d^2": lambda: (
        {r"\eta": 0.1, "h": H, "d": 0.7, "g": H * 0.7},),
    r"x_{t+1} = (1 + \beta - \eta h)\, x_t - \beta\, x_{t-1}": step_of_momentum,
    r"z^2 - (1 + \beta - \eta h)\, z + \beta = 0": root_of_momentum,
    r"1 + (1 + \beta - \eta h) + \beta = 0": lambda: (
        {r"\beta": 0.6, r"\eta": 0.1, "h": formulas.momentum_limit(0.6) / 0.1},),
    r"1/(1 - \tfrac12\eta h)": lambda: (
        {r"\eta": 0.1, "h": H}, None,
        (quadratic.descent_gram(np.array([[H]]), [0.7], lr=0.1)
         / quadratic.velocity_gram(np.array([[H]]), [0.7])).item()),
    # Adam
    r"(1-\beta_1)\,\eta\, T/\sqrt{B}": lambda: (
        ADAM | {"T": 150.0}, None, formulas.adam_noise_credit(0.1, 150, 1 / 10, beta1=0.3)),
    r"-g_t\,\delta_t = \eta\, g_t m_t/\sqrt{v_t}": lambda: (ADAM,),
    r"m_t = (1-\beta_1) \sum_{j\ge0} \beta_1^j\, g_{t-j}": adams_mean,
    r"\eta\,(1-\beta_1)\,\sigma^2/\sqrt v \approx \eta\,(1-\beta_1)\sqrt v": lambda: (ADAM,),
    r"\sqrt v \approx \sqrt{F/B}": lambda: (ADAM,),
    r"\eta\,(\bar g^2 + (1-\beta_1)\,\sigma^2)/\sqrt v": adams_credit,
    # exercises
    r"(a+b)/3": lambda: ({"a": 0.7, "b": 2.0}, None, middle_of(0, 0.7, 2.0)),
    r"(a/2+b)/3": lambda: ({"a": 0.7, "b": 2.0}, None, middle_of(2.0, 0, 0.35)),
    r"\tfrac12 \cdot 2\,(\theta - a/2)^2": lambda: (
        {r"\theta": 2.0, "a": 0.7}, None, 2 * quadratic.loss([2.0], np.eye(1), 0.35)),
    r"\tfrac12 h\,(1+a)/(1-a)": lambda: (
        {"h": H, "a": np.exp(-H * 0.5)}, None,
        quadratic.velocity_gram(np.array([[H]]), [1.0], time=0.5).item()
        / (1 - np.exp(-H * 0.5)) ** 2),
    r"2c\,\Omega = 100\,c": lambda: ({"c": C, r"\Omega": 50.0},),
    r"2(1+\beta)/\eta = 380": lambda: ({r"\beta": 0.9, r"\eta": 0.01},),
}

ASSUMED = {
    # letters
    r"g_k = \partial L / \partial \theta_k": "the gradient",
    r"j_k = \partial z / \partial \theta_k": "the slopes of the outputs",
    r"H_{jk} = \partial^2 L / \partial\theta_j\, \partial\theta_k": "the Hessian",
    r"\dot\theta = d\theta/dt": "the velocity",
    r"\Delta_k = \theta_k(T) - \theta_k(0)": "the displacement",
    r"x(t) = \theta_k(t) - \tilde\theta_k": "a distance from the anchor",
    r"\delta = -\eta g": "a step of gradient descent",
    r"\delta_k = -\eta\,(\bar g_k + n_k)": "a step of SGD",
    r"\delta_t = \beta\, \delta_{t-1} - \eta g_t": "a step of SGD with momentum",
    r"d = \theta(0) - \theta^*": "the offset",
    r"d^\alpha = u^\alpha \cdot d": "the offset along an eigenvector",
    r"D = \theta_2^* - \theta_1^*": "the shift",
    r"\Delta = \theta - \theta_1^*": "a displacement from the first optimum",
    r"a = e^{-hT}": "an abbreviation in an exercise",
    r"m \leftarrow 0.9\, m + 0.1\, g": "Adam's running mean, in an exercise",
    r"v \leftarrow 0.999\, v + 0.001\, g^2": "and that of the squares",
    # what is supposed
    r"\tau\,\dot\theta = -g": "gradient flow",
    r"m\,\ddot\theta + \gamma\,\dot\theta = -g": "the heavy ball",
    r"\tau\, \dot\theta = -A\, g": "preconditioned flow",
    r"\theta(t) = \theta^* + \Phi(t)\, d": "any method that is linear in the offset",
    r"\Phi(0) = I": "it starts at the start",
    r"H\,\Phi(\infty) = 0": "it ends in a minimum",
    r"\Phi = e^{-Ht/\tau}": "gradient flow as an example of it",
    r"M(\infty) = 0": "it ends in a minimum",
    r"\theta = A^{1/2} \varphi": "a change of variables",
    r"\langle d\, d^\top \rangle = \sigma^2 A": "starts with that covariance",
    r"\langle d\, d^\top \rangle = \sigma^2 H^{-1}": "starts with that covariance",
    r"L(\theta) = \tfrac12 h\,(\theta - \theta^*)^2": "a parabola as the loss",
    r"\Delta = \theta^* - \theta(0)": "training that arrives at the minimum",
    r"\theta_k' = a\,\theta_k": "another unit for a weight",
    r"H = \lambda\, u\, u^\top": "a bowl with one curved direction",
    r"|u| = 1": "a unit vector",
    r"\det H > 0": "a condition",
    r"\det H = 0": "a condition",
    r"|H_{11} + H_{12}\, d_2/d_1| > s": "when the quotient exceeds q: see s² and the quotient",
    r"\Omega = h_1/2": "the importance in that case",
    r"f(x) = W x": "a linear network",
    r"1 - \sum\omega^{\text{SIU}}/\sum\omega^{\text{SI}}": "how much of SI is noise",
    r"v \approx \langle g^2\rangle \approx \sigma^2 \approx F/B": "noise that dominates",
    # examples with numbers
    r"\theta^* = (2, -1.5)": "an example",
    r"a = (1, 2, 0, -1)": "an example",
    r"H = I + a\,a^\top": "an example",
    r"L(\theta) = \tfrac14\theta^4 - 2\theta": "the loss of an exercise",
    r"\tfrac12(\theta-b)^2 + \tfrac12\theta^2 + \tfrac12(\theta - a/2)^2": "an exercise's loss",
}
