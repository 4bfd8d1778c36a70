"""Numbers in questions and in exercises for paper: each is computed, and the page says it so."""

import functools
import json

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import minimize_scalar
from test_book import ROOT
from test_playground import after_all
from torch import nn

from si_tutorial import formulas, metrics, networks, quadratic
from si_tutorial.experiments import store
from si_tutorial.fisher import output_sensitivity


@functools.cache
def text(chapter):
    cells = json.loads((ROOT / f"book/{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    return " ".join("".join("".join(c["source"]) + "\n" for c in cells).split())


def says(chapter, *sentences):
    for sentence in sentences:
        assert sentence in text(chapter)


def test_read_a_matrix():
    R = np.array([[90, 50, 50], [95, 98, 50], [80, 60, 97]])
    says("catastrophic_forgetting", *(
        f"| after task {i} | {' | '.join(map(str, row))} |" for i, row in enumerate(R, 1)),
        f"ACC is (80 + 60 + 97)/3 = {metrics.average_accuracy(R):g}.",
        f"so it is −{-metrics.backward_transfer(R):g}.", f"so it is {metrics.forgetting(R):g}.")


def test_which_move_costs_more():
    costs = [quadratic.loss(np.array(move), np.diag([4, 0.01]), 0.0)
             for move in ([0.1, 0], [0, 1], [0, 2])]
    says("catastrophic_forgetting", f"Weight 1 costs ½ · 4 · 0.1² = {costs[0]:g} and weight 2 "
         f"costs ½ · 0.01 · 1² = {costs[1]:g}.", "four times the damage",
         "For a cost of 0.02 weight 2 could move by 2, which is twenty times as far.")
    assert costs[0] == pytest.approx(4 * costs[1]) and costs[2] == pytest.approx(costs[0])


def test_where_the_two_ellipses_meet():
    """Two second-order losses, with and without the coupling, agree on the axes only."""
    H = np.array([[0.3, 0.2], [0.2, 0.5]])
    angles = np.linspace(0, 2 * np.pi, 361)
    ways = np.stack([np.cos(angles), np.sin(angles)], -1)
    full, diagonal = quadratic.loss(ways, H, 0.0), quadratic.loss(ways, np.diag(np.diag(H)), 0.0)
    same = np.isclose(full, diagonal)
    assert (same == np.isclose(np.abs(ways), 0).any(1)).all()


def test_the_weight_of_the_old_loss():
    says("elastic_weight_consolidation", "Task A had 6,000 examples and task B has 2,000.",
         f"- (x) {6000 / 2000:g}.", "- ( ) 1/3.")


def fisher(x, p):
    return p * ((1 - p) * x) ** 2 + (1 - p) * (-p * x) ** 2


def test_a_fisher_information_by_hand():
    theta = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    for x in (1.0, 2.0):   # by automatic differentiation too
        squares = [torch.autograd.grad(nn.functional.logsigmoid(sign * theta * x), theta)[0] ** 2
                   for sign in (1, -1)]
        assert sum(0.5 * s for s in squares).item() == pytest.approx(fisher(x, 0.5))
    one, two = fisher(1, 0.5), fisher(2, 0.5)
    says("elastic_weight_consolidation",
         f"this is {one:g} for $x = 1$ and {two:g} for $x = 2$, and their mean is "
         f"{(one + two) / 2:g}.",
         f"contributes {fisher(1, 0.9):.2g} in place of {one:g}, and with $p = 0.99$ only "
         f"{fisher(1, 0.99):.2g}.")
    assert fisher(3, 0.2) == pytest.approx(0.2 * 0.8 * 9)


def test_the_square_of_a_mean():
    def found(*batches):
        return np.mean([np.mean(batch) ** 2 for batch in batches])
    says("elastic_weight_consolidation",
         f"The mean of the squares is (9 + 1 + 9 + 1)/4 = {found([3], [1], [-3], [-1]):g}. In "
         "batches (3, 1) and (−3, −1) the means are 2 and −2, and their mean square is "
         f"{found([3, 1], [-3, -1]):g}. In batches (3, −3) and (1, −1) it is "
         f"{found([3, -3], [1, -1]):g}, and so it is for all four together.")
    assert found([3, 1, -3, -1]) == 0


def test_two_steps_by_hand():
    H, theta, account = np.diag([4.0, 1.0]), np.ones(2), np.zeros(2)
    for _ in range(2):
        g = quadratic.gradient(theta, H, 0.0)
        account += formulas.credit(g, -0.1 * g)
        theta = theta - 0.1 * g
    before, after = (quadratic.loss(w, H, 0.0) for w in (np.ones(2), theta))
    says("synaptic_intelligence",
         f"The accounts hold {account[0]:.3f} and {account[1]:.3f}, together "
         f"{account.sum():.3f}. The loss was {before:g} at the start and is about {after:.3f} at "
         f"({theta[0]:.2f}, {theta[1]:.2f}), so it has fallen by about {before - after:.3f} only.")


def rest(importance, strength):
    """Where one weight comes to rest between the new task and its spring."""
    return minimize_scalar(
        lambda x: 0.5 * (1 - x) ** 2 + strength * importance * x**2, (0, 1), tol=1e-12).x


def test_two_springs():
    assert rest(0.5, 1) == pytest.approx(1 / 2) and rest(4.5, 1) == pytest.approx(1 / 10)
    assert rest(0.5, 1 / 9) == pytest.approx(0.9) and rest(4.5, 1 / 9) == pytest.approx(1 / 2)
    says("synaptic_intelligence", "the first weight rests at 1/2 and the second at 1/10. For 0.9 "
         "the first needs $c$ = 1/9, and then the second rests at 1/2.")


def test_the_two_parabolas():
    steep, flat = formulas.importance(0.5, 1.0, 0.0), formulas.importance(0.5, 2.0, 0.0)
    says("synaptic_intelligence", "by a factor of four",
         f"The importances are {steep:g} and {flat:g}, half")
    assert steep == 4 * flat


def test_mas_by_hand():
    layer = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
    x = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    found = output_sensitivity(layer, [(x, torch.zeros(2))], forward=layer)["weight"]
    assert found.tolist() == [[2, 2], [4, 4]]
    slopes = torch.stack([torch.autograd.grad(layer(one).square().sum(), layer.weight)[0]
                          for one in x])
    assert slopes.mean(0).tolist() == [[2, 0], [0, 4]]
    says("importance_measures", "The mean sizes are 2, 2, 4 and 4. Without the absolute value the "
         "means are 2, 0, 0 and 4")


def test_the_path_on_which_weight_2_climbs():
    H = np.array([[1.0, 0.8], [0.8, 1.0]])
    at = [quadratic.loss(np.array(p), H, 0.0) for p in ([2, -0.5], [2, 0], [0, 0])]
    assert at[1] > at[0] and at[1] - at[2] > at[0] - at[2]
    says("path_integral", "While weight 2 moved, the loss rose.",
         "Afterwards weight 1 gained more than the whole drop.")


def test_thousandths_and_three_roots():
    assert formulas.importance(1.0, 1000.0, 0.0) == pytest.approx(1e-6)
    left = formulas.importance(1.0, 3.0, 1.0) / formulas.importance(1.0, 3.0, 0.0)
    assert left == pytest.approx(9 / 10)
    says("path_integral", "- (x) It becomes a millionth of what it was.", "- (x) 9/10.")


def test_one_drop_divided_in_three_ways():
    H = np.ones((2, 2))
    at = {p: quadratic.loss(np.array(p), H, 0.0) for p in ((1, 1), (0, 1), (1, 0), (0, 0))}
    first, second = at[1, 1] - at[0, 1], at[0, 1] - at[0, 0]
    straight = quadratic.gradient(np.full(2, 0.5), H, 0.0)   # in the middle, for steps of −1
    assert at[0, 1] == at[1, 0] == 0.5 and straight.tolist() == [1, 1]
    says("path_integral", f"Whoever moves first gains {first:g}, the other gains {second:g}. On "
         f"the straight line both gain 1. In each case the sum is {at[1, 1]:g}, the drop")


def test_the_strength_that_damping_asks_for():
    wanted = [0.5 / formulas.importance(0.5 * moved**2, moved, 0.1) for moved in (1.0, 0.1)]
    says("path_integral", f"For a displacement of 1 it is {wanted[0]:.3g}, and for a "
         f"displacement of 0.1 it is {wanted[1]:.3g}.")


def test_noise_meets_itself():
    noisy, true, rate = np.array([3.0, -1.0]), 1.0, 0.1
    entered, wanted = formulas.credit(noisy, -rate * noisy), formulas.credit(true, -rate * noisy)
    says("noise", f"SI enters {entered[0]:.1f} or {entered[1]:.1f}, on average "
         f"{entered.mean():.1f}. With the true gradient it is {wanted[0]:.1f} or "
         f"−{-wanted[1]:.1f}, on average {wanted.mean():.1f}. The difference is "
         f"{entered.mean() - wanted.mean():.1f}. The noise is ±2, its variance is "
         f"{noisy.var():.0f}")
    assert entered.mean() - wanted.mean() == pytest.approx(
        formulas.noise_bias(rate, 1, noisy.var()))


def test_what_changes_the_bias():
    found = [formulas.noise_bias(*case) for case in (
        (0.05, 100, 0.04), (0.05, 100, 0.01), (0.025, 200, 0.04), (0.025, 100, 0.04))]
    says("noise", f"The bias is 0.05 · 100 · 0.04 = {found[0]:.3g}. With batches four times as "
         f"large it is {found[1]:.3g}. With half the rate and twice the steps it stays at "
         f"{found[2]:.3g}. With half the rate alone it is {found[3]:.3g}")


def test_two_starts_and_their_mean():
    H = np.array([[3.0, 1.0], [1.0, 1.0]])
    assert np.linalg.det(H) == pytest.approx(2) and H.trace() == 4
    one, two = (quadratic.path_integral(H, np.array(d)) for d in ([1.0, 1.0], [1.0, -1.0]))
    assert (one + two) / 2 == pytest.approx(np.diag(H) / 2)
    says("quadratic_case", f"(16 + 2)/8 = {one[0]:.3g} and (4 + 2)/8 = {one[1]:.3g}, and their "
         f"sum {one.sum():.3g} is half of 4 + 2.", f"(4 + 2)/8 = {two[0]:.3g} and (0 + 2)/8 = "
         f"{two[1]:.3g}, and their sum {two.sum():.3g} is half of 2.",
         "Half the diagonal is 1.5 and 0.5.")


def test_a_nearer_start_has_the_same_quotient():
    H, d = np.array([[3.0, 1.2], [1.2, 1.0]]), np.array([0.3, 2.2])
    assert quadratic.importance(H, d / 2, 0.0) == pytest.approx(quadratic.importance(H, d, 0.0))
    assert quadratic.path_integral(H, d / 2) == pytest.approx(quadratic.path_integral(H, d) / 4)


def test_how_stiff_the_spring_may_be():
    limits = [formulas.momentum_limit(beta) / (0.01 * 2 * omega)
              for beta, omega in ((0.9, 50), (0.0, 50), (0.9, 5))]
    assert limits == pytest.approx([3.8, 2, 38])
    says("quadratic_case", "so the limit is $c = 3.8$. Without momentum it is 2, and with a "
         "tenth of the importance it is ten times as high.")


def test_when_noise_takes_over():
    early, late = (0.1 * (quotient - 1) for quotient in (100, 10_001))
    says("what_si_measures", f"Early it is 0.1 · 99 = {early:.1f}, and late it is 0.1 · 10,000 = "
         f"{late:,.0f}.")
    for quotient, noisy in ((100, False), (10_001, True)):
        share = 0.1 * (quotient - 1) / 64
        assert (share / (1 + share) > 0.5) == noisy


def test_four_times_the_batch():
    fisher = 3.0
    adam = [formulas.adam_noise_credit(1e-3, 100, fisher / batch) for batch in (16, 64)]
    sgd = [formulas.noise_bias(1e-3, 100, fisher / batch) for batch in (16, 64)]
    assert adam[1] == pytest.approx(adam[0] / 2) and sgd[1] == pytest.approx(sgd[0] / 4)
    says("what_si_measures", "goes with one over the root of $B$ and halves.",
         "goes with one over $B$ and falls to a quarter.")


def test_two_intervals():
    runs = [97, 98, 98, 98, 99]
    mean, one = metrics.confidence_interval(runs), metrics.prediction_interval(runs)
    says("split_mnist", f"the root of 0.5, about {np.std(runs, ddof=1):.3f}.",
         f"The interval of the mean is 98 ± {(mean[1] - mean[0]) / 2:.2f}, from {mean[0]:.1f} to "
         f"{mean[1]:.1f}. The prediction interval is 98 ± {(one[1] - one[0]) / 2:.2f}, from "
         f"{one[0]:.1f} to {one[1]:.1f}.",
         f"with four degrees of freedom is {stats.t.ppf(0.975, 4):.3f}")
    assert one[0] < 96.4 < mean[0]


def test_an_interval_of_ten_seeds():
    low, high = 98.4, 98.9
    half = (high - low) / 2 * np.sqrt(11)
    says("split_mnist", f"here {np.sqrt(11):.1f}. It reaches from {(low + high) / 2 - half:.1f} "
         f"to {(low + high) / 2 + half:.1f} %, so 98.0 % lies inside.")


def test_who_is_pushed_down():
    logits = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log().requires_grad_()
    g, = torch.autograd.grad(nn.functional.cross_entropy(logits, torch.tensor(0)), logits)
    assert g.tolist() == pytest.approx([-0.3, 0.2, 0.1])
    g, = torch.autograd.grad(nn.functional.cross_entropy(logits[:2], torch.tensor(0)), logits)
    assert g.tolist() == pytest.approx([-2 / 9, 2 / 9, 0])
    says("split_mnist", "The gradient is −0.3, 0.2 and 0.1", "are 7/9 and 2/9 and the gradient is "
         "−2/9, 2/9 and 0")


def test_how_much_would_have_to_change():
    network = networks.mlp(10, hidden=(100, 100), seed=0)
    first, whole = network.body[0].weight, sum(p.numel() for p in network.parameters())
    says("permuted_mnist", f"These are {first.numel():,} weights of {whole:,} parameters, or "
         f"{100 * first.numel() / whole:.1f} %.")
    x = torch.rand(5, 784)
    order = torch.randperm(784)
    before = network(x)
    with torch.no_grad():
        first.copy_(first[:, order].clone())
    torch.testing.assert_close(network(x[:, order]), before)


def test_a_correlation_by_hand():
    r = np.corrcoef([(3, 1, 1, 3), (3, 3, 1, 1), (6, 2, 2, 6)])
    assert [r[0, 1], r[0, 2], r[1, 2]] == pytest.approx([0, 1, 0], abs=1e-12)
    says("permuted_mnist", "Tasks 1 and 2 have the correlation 0, tasks 1 and 3 have 1, and tasks "
         "2 and 3 have 0.")


def test_where_three_dampings_give_one_curve():
    """On permuted MNIST, left of the peak, the ratio of strength and damping decides."""
    ends = {r["damping"]: 100 * metrics.average_accuracy(r["accuracy"])
            for r in store.published("permuted-mnist-small")
            if r["method"] == "SI" and r["seed"] == 0 and not r["held_out"]
            and not r["correlation"] and np.isclose(r["strength"], r["damping"])}
    assert {0.1, 0.01} <= ends.keys() and np.ptp(list(ends.values())) < 1
    says("permuted_mnist", "At $c$ = 0.1 and $\\xi$ = 0.1 a run stands where the curves are "
         "one. You lower $\\xi$ to 0.01. Which $c$ keeps it where it is?", "- (x) 0.01.")


def test_plain_training_keeps_two_permutations_and_not_ten():
    plain = next(r for r in store.published("permuted-mnist") if r["method"] == "fine-tuning")
    seen = metrics.seen_accuracy(plain["accuracy"])
    assert seen[1] > 0.9 and seen[-1] < seen[1] - 0.2


def test_the_playground_far_too_strong():
    first, *later = after_all(0, 1000.0)
    assert first > 0.95 and np.mean(later) < 0.7
    says("playground", "- (x) Task 1 is kept, and later tasks are hardly learned.")


def test_the_playground_without_protection():
    assert np.mean(after_all(0, 0.0)[:3]) < 0.6
    says("playground", "the left map, without protection, is full of crosses on the first three")
