"""EWC: the closed form of its sum of penalties, its two forms on quadratic tasks, its units."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from si_tutorial import formulas
from si_tutorial.fisher import fisher_information
from si_tutorial.importance import ElasticWeightConsolidation
from si_tutorial.importance import elastic_weight_consolidation as module


def task(seed, examples=12):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(examples, 3, generator=generator, dtype=torch.float64)
    return [(x, torch.randint(4, (examples,), generator=generator))]


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).double()


def move(net, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn(p.shape, generator=generator, dtype=p.dtype))


def gradient(scalar, net):
    return torch.autograd.grad(scalar, list(net.parameters()))


def test_the_closed_form_is_the_sum_of_one_penalty_per_task():
    net, measured = network(), []
    ewc = ElasticWeightConsolidation(net, strength=3.0)
    for t in range(4):
        move(net, t)
        ewc.consolidate(task(t))
        theta = {n: p.detach().clone() for n, p in net.named_parameters()}
        measured.append((fisher_information(net, task(t)), theta))

    def published():  # λ/2 Σₜ Σₖ Fₖᵗ (θₖ − θₖᵗ)², with λ = 3
        return 3.0 / 2 * sum((fisher[n] * (p - theta[n]) ** 2).sum()
                             for fisher, theta in measured for n, p in net.named_parameters())

    constant = (published() - ewc.penalty()).item()
    for seed in (10, 11):
        move(net, seed)
        torch.testing.assert_close(gradient(ewc.penalty(), net), gradient(published(), net))
        assert math.isclose((published() - ewc.penalty()).item(), constant, rel_tol=1e-9)


def test_each_merge_is_the_formula():
    net = network()
    ewc = ElasticWeightConsolidation(net).consolidate(task(0))
    before = ewc.state_dict()
    move(net, 1)
    ewc.consolidate(task(1))
    for n, f in fisher_information(net, task(1)).items():
        old = before["importance"][n]
        expected = formulas.merged_anchor(old, before["anchor"][n], f / 2, net.get_parameter(n))
        torch.testing.assert_close(ewc.anchor[n], expected.detach())
        torch.testing.assert_close(ewc.importance[n], old + f / 2)


def test_online_keeps_the_latest_weights_and_decays_the_past():
    net, omega = network(), 0
    ewc = ElasticWeightConsolidation(net, anchors="latest", decay=0.7)
    for t in range(3):
        move(net, t)
        ewc.consolidate(task(t))
        omega = 0.7 * omega + fisher_information(net, task(t))["0.weight"] / 2
    torch.testing.assert_close(ewc.importance["0.weight"], omega)
    assert torch.equal(ewc.anchor["0.weight"], net[0].weight)


@pytest.mark.parametrize("k", [0, 3, 7])
def test_at_strength_one_the_penalty_is_the_divergence_from_the_old_answers(k):
    """KL(p_old ‖ p_new) = ½ Fₖ ε² + O(ε³) along one parameter: no factor 2 too many or too few."""
    torch.manual_seed(0)
    net, data = nn.Linear(3, 4).double(), task(0)
    ewc = ElasticWeightConsolidation(net, strength=1.0).consolidate(data)
    old = net(data[0][0]).log_softmax(1).detach()
    errors = []
    for epsilon in (1e-2, 1e-3):
        with torch.no_grad():
            net.weight.copy_(ewc.anchor["weight"]).view(-1)[k] += epsilon
        new = net(data[0][0]).log_softmax(1)
        divergence = F.kl_div(new, old, log_target=True, reduction="batchmean")
        errors.append(abs(ewc.penalty() / divergence - 1).item())
    assert errors[0] < 0.05 and errors[1] < 0.2 * errors[0]


# ------------------------------------------------------------------------------ quadratic tasks

CURVATURES, OPTIMA = (1.0, 1.0, 2.0), (3.0, 0.0, -1.5)
JOINT = sum(h * o for h, o in zip(CURVATURES, OPTIMA, strict=True)) / sum(CURVATURES)


class Parabola(nn.Module):
    def __init__(self):
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(1, dtype=torch.float64))


def learn_in_sequence(monkeypatch, tasks, **form):
    """SGD to convergence on ½h(θ−o)² for each task in turn; the Fisher information is h."""
    net = Parabola()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2)
    ewc = ElasticWeightConsolidation(net, strength=1.0, **form).attach(optimizer)
    for h, optimum in list(zip(CURVATURES, OPTIMA, strict=True))[:tasks]:
        for _ in range(400):
            optimizer.zero_grad()
            (h / 2 * (net.theta - optimum) ** 2).sum().backward()
            optimizer.step()
        monkeypatch.setattr(module, "fisher_information",
                            lambda *args, h=h, **kwargs: {"theta": torch.full((1,), h).double()})
        ewc.consolidate([])
    return net.theta.item()


def test_two_quadratic_tasks_are_exact_in_both_forms(monkeypatch):
    joint = (CURVATURES[0] * OPTIMA[0] + CURVATURES[1] * OPTIMA[1]) / sum(CURVATURES[:2])
    for anchors in ("per_task", "latest"):
        assert math.isclose(learn_in_sequence(monkeypatch, 2, anchors=anchors), joint)


def test_three_quadratic_tasks_are_exact_with_the_latest_anchor_only(monkeypatch):
    """By hand: θ¹ = 3, θ² = (3 + 0)/2 = 1.5, θ³ = (3 + 1.5 − 2·1.5)/4 = 0.375; the joint is 0."""
    assert JOINT == 0
    latest = learn_in_sequence(monkeypatch, 3, anchors="latest", decay=1.0)
    assert math.isclose(latest, JOINT, abs_tol=1e-12)
    assert math.isclose(learn_in_sequence(monkeypatch, 3, anchors="per_task"), 0.375)


# -------------------------------------------------------------------------- copies, state, errors

def test_the_anchor_is_a_copy():
    for anchors in ("per_task", "latest"):
        net = network()
        ewc = ElasticWeightConsolidation(net, anchors=anchors).consolidate(task(0))
        assert ewc.penalty() == 0 and all((omega > 0).all() for omega in ewc.importance.values())
        move(net, 5)
        assert ewc.penalty() > 0


def test_the_first_anchor_is_where_the_first_task_ended_to_the_bit():
    net = network()
    ewc = ElasticWeightConsolidation(net)
    move(net, 3)
    ewc.consolidate(task(0))
    assert all(torch.equal(ewc.anchor[n], p) for n, p in net.named_parameters())


def test_parameters_without_information_keep_to_nobody():
    """Another task's head: no importance, and no NaN from 0/0."""
    net = network()
    net.spare = nn.Linear(2, 2).double()
    ewc = ElasticWeightConsolidation(net)
    for t in range(2):
        ewc.consolidate(task(t), forward=lambda x: net[2](net[1](net[0](x))))
    assert not ewc.importance["spare.weight"].any()
    assert torch.equal(ewc.anchor["spare.weight"], net.spare.weight)


def test_stop_and_resume_give_the_same_bits():
    def run(interrupted):
        net = network()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
        ewc = ElasticWeightConsolidation(net, strength=2.0).attach(optimizer)
        for step in range(12):
            x, y = task(step)[0]
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
            if step in (3, 7):
                ewc.consolidate(task(step))
            if interrupted and step in (5, 8):
                saved = ewc.state_dict()
                ewc.detach()
                ewc = ElasticWeightConsolidation(net, strength=2.0).attach(optimizer)
                ewc.load_state_dict(saved)
        return torch.cat([p.flatten() for p in net.parameters()])

    assert torch.equal(run(False), run(True))


def test_nan_is_refused_and_nothing_changed():
    net = network()
    ewc = ElasticWeightConsolidation(net).consolidate(task(0))
    before = ewc.state_dict()
    with torch.no_grad():
        net[0].bias[2] = float("nan")
    with pytest.raises(FloatingPointError, match="NaN"):
        ewc.consolidate(task(1))
    after = ewc.state_dict()
    assert after["tasks"] == before["tasks"] == 1
    assert all(torch.equal(after[f][n], before[f][n]) for f in ("importance", "anchor")
               for n in before[f])


@pytest.mark.parametrize("wrong, message", [
    ({"anchors": "all"}, "'all'"), ({"labels": "empirical"}, "'empirical'"),
    ({"anchors": "latest", "decay": 1.5}, "1.5"), ({"anchors": "latest", "decay": -1}, "-1"),
    ({"decay": 0.9}, "online"), ({"strength": -1.0}, "-1.0")])
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ElasticWeightConsolidation(network(), **wrong)


@pytest.mark.parametrize("wrong, message", [
    ({"likelihood": "poisson"}, "'poisson'"),
    ({"likelihood": "gaussian", "labels": "argmax"}, "exactly 0")])
def test_a_likelihood_without_information_is_refused_when_built(wrong, message):
    with pytest.raises(ValueError, match=message):
        ElasticWeightConsolidation(network(), **wrong)


def test_one_categorical_logit_is_refused_and_nothing_changed():
    """Its importance would be zero everywhere, and the penalty with it."""
    net = nn.Linear(3, 1).double()
    ewc = ElasticWeightConsolidation(net, strength=1e4)
    with pytest.raises(ValueError, match="'bernoulli'"):
        ewc.consolidate(task(0))
    assert ewc.tasks == 0
    for likelihood in ("bernoulli", "gaussian"):  # which the message names
        ewc = ElasticWeightConsolidation(net, likelihood=likelihood).consolidate(task(0))
        assert all(omega.all() for omega in ewc.importance.values())


@pytest.mark.parametrize("likelihood, loss, factor", [
    ("categorical", F.cross_entropy, 1), ("bernoulli", F.binary_cross_entropy_with_logits, 1 / 4),
    ("gaussian", F.mse_loss, 2 / 4)])
def test_at_its_factor_the_penalty_is_the_old_loss_of_a_linear_layer(likelihood, loss, factor):
    """One weight moved from the optimum: what the docstring says of PyTorch's three losses."""
    torch.manual_seed(0)
    net, (x, _) = nn.Linear(3, 4).double(), task(0)[0]
    outputs = net(x).detach()
    y = {"categorical": outputs.softmax(1), "bernoulli": outputs.sigmoid(),
         "gaussian": outputs}[likelihood]  # for which these weights are the optimum
    ewc = ElasticWeightConsolidation(net, strength=factor, likelihood=likelihood)
    ewc.consolidate([(x, None)])
    errors = []
    for epsilon in (1e-2, 1e-3):
        with torch.no_grad():
            before = loss(net(x), y)
            net.weight[1, 2] += epsilon
            rise = loss(net(x), y) - before
        errors.append(abs((ewc.penalty() / rise).item() - 1))
        with torch.no_grad():
            net.weight[1, 2] -= epsilon
    assert errors[0] < 0.02 and errors[1] < max(0.2 * errors[0], 1e-8)


def test_a_network_that_changed_after_the_measure_was_built_is_refused():
    """A new head would be measured, and protected by nothing."""
    net = network()
    ewc = ElasticWeightConsolidation(net).consolidate(task(0))
    before = ewc.state_dict()
    net[2] = nn.Linear(5, 4).double()
    with pytest.raises(RuntimeError, match="added, removed or replaced"):
        ewc.consolidate(task(1))
    assert ewc.tasks == 1
    assert all(torch.equal(t, before["importance"][n]) for n, t in ewc.importance.items())


def test_every_batch_of_the_task_counts():
    net, (x, y) = network(), task(0)[0]
    whole = ElasticWeightConsolidation(net).consolidate([(x, y)])
    parts = ElasticWeightConsolidation(net).consolidate([(x[:5], y[:5]), (x[5:], y[5:])])
    first = ElasticWeightConsolidation(net).consolidate([(x[:5], y[:5])])
    torch.testing.assert_close(parts.importance, whole.importance)
    assert not torch.allclose(first.importance["0.weight"], whole.importance["0.weight"])


def test_a_compiled_network_is_protected():
    net = network()
    fast = torch.compile(net, backend="eager")
    F.cross_entropy(fast(task(0)[0][0]), task(0)[0][1]).backward()
    ewc = ElasticWeightConsolidation(net).consolidate(task(0), forward=fast)
    expected = ElasticWeightConsolidation(net).consolidate(task(0))
    torch.testing.assert_close(ewc.importance, expected.importance)
    torch._dynamo.reset()


def test_a_network_in_bfloat16_merges_its_anchors():
    """The mean of two anchors, weighted in float32."""
    net = network().bfloat16()
    ewc, measured, ends = ElasticWeightConsolidation(net), [], []
    for t in range(2):
        move(net, t)
        x, y = task(t)[0]
        ewc.consolidate([(x.bfloat16(), y)])
        measured.append(fisher_information(net, [(x.bfloat16(), y)])["0.weight"])
        ends.append(net[0].weight.detach().float())
    assert measured[0].dtype is torch.float32
    expected = (measured[0] * ends[0] + measured[1] * ends[1]) / (measured[0] + measured[1])
    torch.testing.assert_close(ewc.anchor["0.weight"].float(), expected, rtol=0.02, atol=0.02)
    torch.testing.assert_close(ewc.importance["0.weight"].float(), sum(measured) / 2, rtol=0.02,
                               atol=1e-4)


def test_labels_and_generator_reach_the_fisher():
    net = network()
    by_label = {labels: ElasticWeightConsolidation(
        net, labels=labels, generator=torch.Generator().manual_seed(7)).consolidate(task(0))
        for labels in ("expected", "sampled", "true", "argmax")}
    for labels, ewc in by_label.items():
        f = fisher_information(net, task(0), labels=labels,
                               generator=torch.Generator().manual_seed(7))
        assert all(torch.equal(ewc.importance[n], f[n] / 2) for n in f)
    assert len({e.importance["0.bias"].sum().item() for e in by_label.values()}) == 4


def test_the_state_of_another_likelihood_is_refused():
    """Its importance is in the units of another loss."""
    state = ElasticWeightConsolidation(network(), likelihood="gaussian").state_dict()
    with pytest.raises(ValueError, match="likelihood"):
        ElasticWeightConsolidation(network()).load_state_dict(state)
