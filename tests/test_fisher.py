"""The Fisher information against double loops over examples and labels, and its laws."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from twins import assert_same, batches, naive_fisher, naive_sensitivity

from si_tutorial import formulas
from si_tutorial.fisher import fisher_information, output_sensitivity
from si_tutorial.per_example import contracting, mapping

torch.set_num_threads(1)


# --------------------------------------------------------------------------- the problem settings

class Tied(nn.Module):
    """A layer called twice, weights shared by two layers, with an embedding, and used bare."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.twice, self.same = nn.Linear(4, 4), nn.Linear(4, 4)
        self.same.weight = self.twice.weight
        self.bare = nn.Linear(4, 4)
        self.back = nn.Linear(4, 10)
        self.back.weight = self.words.weight
        self.head = nn.Linear(10, 3)

    def forward(self, x):                                   # (batch, time) of int
        z = self.twice(torch.tanh(self.twice(self.words(x))))  # (batch, time, 4)
        z = torch.tanh(self.same(z))
        z = torch.tanh(F.linear(z, self.bare.weight)) + self.bare(z)
        return self.head(self.back(z).mean(1))


class TimeFirst(nn.Module):
    """Its inner layer sees the time axis where the batch is expected."""

    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x):  # (batch, time, 4)
        return self.head(torch.tanh(self.inner(x.transpose(0, 1))).mean(0))


class SharedConv(nn.Module):
    """One convolution on two scales."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(2, 3)

    def forward(self, x):
        z = torch.tanh(self.conv(x))
        return self.head(self.conv(F.avg_pool2d(z, 2)).mean((2, 3)))


def frozen():
    network = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3))
    network[0].requires_grad_(False)
    network[2].bias.requires_grad_(False)
    return network


def images(side=7):
    return torch.randn(7, 2, side, side)


SETTINGS = {
    "perceptron": lambda: (nn.Sequential(
        nn.Linear(5, 4), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(4, 3)),
        torch.randn(7, 5)),
    "frozen": lambda: (frozen(), torch.randn(7, 5)),
    "sequence": lambda: (nn.Sequential(
        nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3), nn.Flatten(), nn.Linear(12, 3)),
        torch.randn(7, 4, 5)),
    "convolutions": lambda: (nn.Sequential(
        nn.Conv2d(2, 4, (4, 3), padding="same"), nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, dilation=2, groups=2, bias=False),
        nn.Tanh(), nn.Conv2d(6, 2, 1, padding="valid"), nn.Flatten(), nn.LazyLinear(3)), images()),
    "circular padding": lambda: (nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), nn.Flatten(),
        nn.LazyLinear(3)), images()),
    "batch norm": lambda: (nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Dropout2d(0.5),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3)), images()),
    "layer norm": lambda: (nn.Sequential(
        nn.Linear(5, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 3)), torch.randn(7, 5)),
    "tied": lambda: (Tied(), torch.randint(10, (7, 3))),
    "shared convolution": lambda: (SharedConv(), images(6)),
    "time first": lambda: (TimeFirst(), torch.randn(7, 3, 4)),
    "time first, as long as the batch": lambda: (TimeFirst(), torch.randn(7, 4, 4)),
    "weight norm": lambda: (nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)), nn.Tanh(), nn.Linear(4, 3)),
        torch.randn(7, 5)),
}


@pytest.fixture(params=SETTINGS)
def setting(request):
    """A network in float64 and seven examples in two batches of unequal size."""
    torch.manual_seed(0)
    network, x = SETTINGS[request.param]()
    with torch.no_grad():
        network.eval()(x)  # gives lazy layers their shape
    network = network.double()
    x = x.double() if x.is_floating_point() else x
    return network, x, torch.randint(3, (7,))


@pytest.mark.filterwarnings("ignore:There is a performance drop", "ignore:Using padding='same'")
@pytest.mark.parametrize("labels", ["expected", "true", "argmax"])
def test_fisher_is_the_double_loop(setting, labels):
    network, x, y = setting
    assert_same(fisher_information(network, batches(x, y), labels=labels),
                naive_fisher(network, x, y, labels))


@pytest.mark.filterwarnings("ignore:There is a performance drop", "ignore:Using padding='same'")
def test_sensitivity_is_the_double_loop(setting):
    network, x, y = setting
    assert_same(output_sensitivity(network, batches(x, y)), naive_sensitivity(network, x))


@pytest.mark.parametrize("kind", ["batch norm", "layer norm"])
def test_all_routes_agree_when_memory_is_short(monkeypatch, kind):
    """Chunks of one example give the same sums as one chunk."""
    torch.manual_seed(0)
    network, x = SETTINGS[kind]()
    network, x, y = network.double(), x.double(), torch.randint(3, (7,))
    network.gain = nn.Parameter(torch.ones(3).double())  # by torch.func

    def forward(x):
        return network(x) * network.gain

    whole = fisher_information(network, batches(x, y), forward=forward)
    monkeypatch.setattr(contracting, "CHUNK", 1)
    monkeypatch.setattr(mapping, "CHUNK", 1)
    assert_same(fisher_information(network, batches(x, y), forward=forward), whole)


def test_a_head_of_its_own_per_task():
    """Through `forward`, with zeros for the heads that it does not use."""
    torch.manual_seed(0)
    body, heads = nn.Linear(5, 4), nn.ModuleList([nn.Linear(4, 2), nn.Linear(4, 3)])
    network = nn.ModuleDict({"body": body, "heads": heads}).double()
    x, y = torch.randn(6, 5).double(), torch.randint(3, (6,))

    def forward(x):
        return heads[1](torch.tanh(body(x)))

    found = fisher_information(network, batches(x, y), forward=forward, labels="true")
    assert_same(found, naive_fisher(network, x, y, "true", forward))
    assert found["heads.0.weight"].abs().max() == 0 < found["heads.1.weight"].min()


def test_the_sampled_fisher_tends_to_the_full_expectation():
    """Within five standard errors over 1,000 draws, each parameter; and it is not the empirical."""
    torch.manual_seed(0)
    network, x = nn.Linear(3, 4).double(), torch.randn(5, 3).double()
    y = torch.zeros(5, dtype=torch.long)
    generator = torch.Generator().manual_seed(1)
    draws = torch.stack([fisher_information(network, [(x, y)], labels="sampled",
                                            generator=generator)["weight"] for _ in range(1000)])
    expected = fisher_information(network, [(x, y)])["weight"]
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - expected).abs() < 5 * error).all()
    true = fisher_information(network, [(x, y)], labels="true")["weight"]
    assert ((true - expected).abs() > 5 * error).any()


# ---------------------------------------------------------------------- what the outputs mean

LIKELIHOODS = ["categorical", "bernoulli", "gaussian"]


def labelled(likelihood, outputs=3):
    """A network in float64, seven examples, and true labels of their kind."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, outputs)).double()
    y = {"categorical": torch.randint(outputs, (7,)), "bernoulli": torch.rand(7, outputs).double(),
         "gaussian": torch.randn(7, outputs).double()}[likelihood]
    return network, torch.randn(7, 5).double(), y


@pytest.mark.parametrize("labels", ["expected", "true", "argmax"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_each_likelihood_is_the_loop_over_its_labels(likelihood, labels):
    """The twin differentiates PyTorch's loss, with the factor that the docstring names."""
    network, x, y = labelled(likelihood)
    if (likelihood, labels) == ("gaussian", "argmax"):
        return  # refused, below
    assert_same(fisher_information(network, batches(x, y), labels=labels, likelihood=likelihood),
                naive_fisher(network, x, y, labels, likelihood=likelihood))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_each_likelihood_is_its_formula(likelihood):
    network, x, _ = labelled(likelihood)
    formula = {"categorical": lambda z, j: formulas.categorical_fisher(z.softmax(0), j),
               "bernoulli": lambda z, j: formulas.bernoulli_fisher(z.sigmoid(), j),
               "gaussian": lambda z, j: formulas.gaussian_fisher(j)}[likelihood]

    def of_one(z):
        jacobian = torch.stack([torch.cat([g.flatten() for g in torch.autograd.grad(
            output, list(network.parameters()), retain_graph=True)]) for output in z])
        return formula(z.detach(), jacobian)

    expected = sum(of_one(network(one[None])[0]) for one in x) / len(x)
    found = fisher_information(network, batches(x), likelihood=likelihood)
    torch.testing.assert_close(torch.cat([f.flatten() for f in found.values()]), expected,
                               rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_sampled_label_of_each_likelihood_is_right_on_average(likelihood):
    network, x, _ = labelled(likelihood)
    generator = torch.Generator().manual_seed(1)
    found = [fisher_information(network, [(x.repeat(50, 1), None)], labels="sampled",
                                likelihood=likelihood, generator=generator)["2.weight"]
             for _ in range(20)]
    again = fisher_information(network, [(x.repeat(50, 1), None)], labels="sampled",
                               likelihood=likelihood, generator=generator.manual_seed(1))
    assert torch.equal(again["2.weight"], found[0])
    draws, expected = torch.stack(found), fisher_information(
        network, [(x, None)], likelihood=likelihood)["2.weight"]
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - expected).abs() < 5 * error).all()
    assert (error < 0.1 * expected).all()


@pytest.mark.parametrize("likelihood, loss, factor", [
    ("categorical", F.cross_entropy, 1), ("bernoulli", F.binary_cross_entropy_with_logits, 1 / 3),
    ("gaussian", F.mse_loss, 2 / 3)])
def test_the_expected_fisher_is_the_curvature_of_pytorchs_loss(likelihood, loss, factor):
    """Of one linear layer, where both are the same: 1, 1/C and 2/C times F, here with C = 3."""
    torch.manual_seed(0)
    network, x = nn.Linear(4, 3).double(), torch.randn(9, 4).double()
    y = torch.randint(3, (9,)) if likelihood == "categorical" else torch.rand(9, 3).double()

    def of(weight):
        return loss(x @ weight.view(3, 4).T + network.bias, y)

    hessian = torch.autograd.functional.hessian(of, network.weight.detach().flatten())
    fisher = fisher_information(network, batches(x), likelihood=likelihood)["weight"]
    torch.testing.assert_close(factor * fisher.flatten(), hessian.diagonal(), rtol=1e-9, atol=1e-12)


def test_one_logit_of_a_bernoulli_is_two_of_a_softmax():
    """Classes with logits 0 and z; labels of shape (batch,) are served."""
    torch.manual_seed(0)
    network, x, y = nn.Linear(4, 1).double(), torch.randn(7, 4).double(), torch.arange(7) % 2

    def two(x):
        return F.pad(network(x), (1, 0))

    for labels in ("expected", "true", "argmax"):
        one = fisher_information(network, [(x, y)], likelihood="bernoulli", labels=labels)
        assert_same(one, fisher_information(network, [(x, y)], forward=two, labels=labels))
    assert_same(fisher_information(network, [(x, y[:, None].bool())], likelihood="bernoulli",
                                   labels="true"),
                fisher_information(network, [(x, y)], forward=two, labels="true"))


@pytest.mark.parametrize("labels", ["expected", "sampled", "true", "argmax"])
def test_one_categorical_logit_is_refused_and_the_remedies_serve(labels):
    network, x = nn.Linear(4, 1), torch.randn(7, 4)
    with pytest.raises(ValueError, match=r"exactly 0: .*'bernoulli', .*'gaussian'"):
        fisher_information(network, [(x, torch.zeros(7, dtype=torch.long))], labels=labels)
    for likelihood in ("bernoulli", "gaussian"):
        assert fisher_information(network, [(x, None)], likelihood=likelihood)["weight"].all()


def test_the_likeliest_number_is_refused_and_the_remedies_serve():
    network, batch = nn.Linear(4, 2), [(torch.randn(7, 4), None)]
    with pytest.raises(ValueError, match=r"exactly 0.*'expected' or 'sampled'"):
        fisher_information(network, batch, likelihood="gaussian", labels="argmax")
    for labels in ("expected", "sampled"):
        assert fisher_information(network, batch, likelihood="gaussian",
                                  labels=labels)["weight"].all()


def test_an_unknown_likelihood_is_refused():
    with pytest.raises(ValueError, match=r"'categorical', 'bernoulli', 'gaussian'.*'poisson'"):
        fisher_information(nn.Linear(3, 2), [], likelihood="poisson")


def test_a_certain_answer_keeps_its_information():
    """p(1−p) at z = ±40: 1 − p rounds to 0, and σ(−z) does not."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.ones_(network.weight)
    for z in (40.0, -40.0):
        x = torch.tensor([[z]])
        found = fisher_information(network, [(x, None)], likelihood="bernoulli")["weight"]
        torch.testing.assert_close(found, torch.tensor([[40.0**2]]) * torch.tensor(-40.0).exp(),
                                   rtol=1e-5, atol=0)


# ------------------------------------------------------------------------------------- the laws

@pytest.mark.parametrize("scale", [0.1, 3.0])
def test_the_expected_fisher_of_a_linear_softmax_is_its_hessian(scale):
    """At every θ, not only at an optimum; the empirical Fisher is another quantity."""
    torch.manual_seed(0)
    network = nn.Linear(3, 4).double()
    with torch.no_grad():
        network.weight.mul_(scale / network.weight.std())
    x, y = torch.randn(9, 3).double(), torch.randint(4, (9,))

    def loss(weight):
        return F.cross_entropy(x @ weight.T + network.bias, y)

    hessian = torch.autograd.functional.hessian(loss, network.weight.detach()).reshape(12, 12)
    curvature = hessian.diagonal().reshape(4, 3)
    expected = fisher_information(network, batches(x, y))["weight"]
    torch.testing.assert_close(expected, curvature, rtol=1e-10, atol=1e-12)
    true = fisher_information(network, batches(x, y), labels="true")["weight"]
    assert (true - curvature).abs().max() > 0.05 * curvature.max()


def test_the_sensitivity_of_one_linear_layer():
    """∂‖Wx‖² / ∂W_ij = 2 (Wx)_i x_j, so its size has mean 2 |Wx|_i |x_j|."""
    torch.manual_seed(0)
    network, x = nn.Linear(3, 4, bias=False).double(), torch.randn(6, 3).double()
    outputs = x @ network.weight.detach().T  # (examples, 4)
    law = 2 * torch.einsum("ni,nj->ij", outputs.abs(), x.abs()) / len(x)
    torch.testing.assert_close(output_sensitivity(network, [(x, None)])["weight"], law,
                               rtol=1e-12, atol=0)


def test_the_size_of_the_batches_does_not_matter():
    """The square of a batch's gradient would shrink as the batch grows."""
    torch.manual_seed(0)
    network, x, y = nn.Linear(3, 4).double(), torch.randn(8, 3).double(), torch.randint(4, (8,))
    one, all_ = (fisher_information(network, batches(x, y, size), labels="true") for size in (1, 8))
    assert_same(one, all_, 1e-12)
    F.cross_entropy(network(x), y).backward()
    assert (network.weight.grad ** 2).sum() < 0.5 * all_["weight"].sum()


def test_scaling_laws():
    """Logits s times as large: the sensitivity of the last layer grows as s² / s = s."""
    torch.manual_seed(0)
    network, x = nn.Linear(3, 4, bias=False).double(), torch.randn(6, 3).double()
    before = output_sensitivity(network, [(x, None)])["weight"]
    with torch.no_grad():
        network.weight.mul_(5)
    torch.testing.assert_close(output_sensitivity(network, [(x, None)])["weight"], 5 * before)


# --------------------------------------------------------------------- leaving things as they were

def test_mode_gradients_and_statistics_are_left_as_found():
    torch.manual_seed(0)
    network, x = SETTINGS["batch norm"]()
    y = torch.randint(3, (7,))
    network.train()
    network[1].eval()  # somebody keeps one layer in evaluation mode
    grads = {}
    for p in network.parameters():
        p.grad = torch.randn_like(p)
        grads[p] = (p.grad, p.grad.clone())
    before = {name: t.clone() for name, t in network.state_dict().items()}
    fisher_information(network, batches(x, y))
    output_sensitivity(network, batches(x, y))
    assert [m.training for m in network] == [True, False, True, True, True, True, True]
    assert all(p.grad is kept and torch.equal(p.grad, copy) for p, (kept, copy) in grads.items())
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
    assert not any(m._forward_hooks for m in network.modules())


def test_a_confident_network_keeps_its_fisher_in_bfloat16():
    """p(y|x) beyond 0.998 rounds to 1 in bfloat16; the score must not round to 0 with it."""
    torch.manual_seed(0)
    network, x = nn.Linear(4, 2), torch.randn(50, 4)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[4.0, 3.0, 2.0, 1.0], [-4.0, -3.0, -2.0, -1.0]]))

    def forward(x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return network(x)

    x = x[network(x).softmax(1).amax(1) > 0.9985]
    assert len(x) > 20
    half, full = (fisher_information(network, [(x, None)], forward=f, labels="argmax")["weight"]
                  for f in (forward, network))
    assert (half - full).abs().max() < 0.05 * full.max()


def test_the_mode_is_put_back_after_an_error():
    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).train()
    with pytest.raises(RuntimeError):
        fisher_information(network, [(torch.randn(4, 5), torch.zeros(4, dtype=torch.long))])
    assert all(m.training for m in network.modules())
    assert not network[0]._forward_hooks


def test_measuring_works_where_gradients_are_switched_off():
    network, x, y = nn.Linear(3, 2), torch.randn(4, 3), torch.zeros(4, dtype=torch.long)
    with torch.no_grad():
        fisher = fisher_information(network, [(x, y)])
    assert fisher["weight"].max() > 0 and not fisher["weight"].requires_grad


class UsedBare(nn.Module):
    """A weight that is used inside its layer and outside; inputs' first entry scales the logits."""

    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        z = self.inner(x) + torch.sin(F.linear(x, self.inner.weight))
        return self.head(z / (1 + z.abs())) * x[:, :1]


def test_certain_examples_do_not_blind_the_check():
    """The first two have no score in float32; the bare weight must be noticed all the same."""
    torch.manual_seed(0)
    network, x, y = UsedBare(), torch.randn(6, 4), torch.randint(3, (6,))
    x[:, 0] = torch.tensor([1e4, 1e4, 1, 1, 1, 1])
    with torch.no_grad():
        y[:2] = network(x)[:2].argmax(1)
        assert (network(x).softmax(1)[[0, 1], y[:2]] == 1).all()
    assert_same(fisher_information(network, [(x, y)], labels="true"),
                naive_fisher(network, x, y, "true"), 1e-4)


# ------------------------------------------------------------------------------------- refusals

def test_unknown_labels_are_refused():
    with pytest.raises(ValueError, match="'empirical'"):
        fisher_information(nn.Linear(3, 2), [], labels="empirical")


@pytest.mark.parametrize("measure", [fisher_information, output_sensitivity])
def test_no_examples_are_refused(measure):
    with pytest.raises(ValueError, match="no examples"):
        measure(nn.Linear(3, 2), iter(()))


def test_logits_of_another_shape_are_refused():
    network = nn.Linear(3, 2)
    with pytest.raises(ValueError, match=r"shape \(4, classes\), got \(4,\)"):
        fisher_information(network, [(torch.randn(4, 3), torch.zeros(4))],
                           forward=lambda x: network(x)[:, 0])


@pytest.mark.parametrize("likelihood, y, message", [
    ("categorical", torch.zeros(4, 2), r"\(4,\), got \(4, 2\)"),
    ("categorical", torch.tensor([0, 1, 2, 5]), r"from 0 to 5 .* 3 outputs, .* 0 to 2"),
    ("categorical", torch.tensor([0, -100, 2, 1]), r"from -100 to 2"),
    ("categorical", torch.zeros(4), r"torch.float32: y.long\(\)"),
    ("categorical", torch.ones(4, dtype=torch.bool), r"torch.bool"),
    ("categorical", None, r"got NoneType: .*labels='expected'"),
    ("bernoulli", torch.zeros(4), r"shape \(4, 3\), got \(4,\)"),
    ("bernoulli", torch.full((4, 3), 2.0), r"from 0 to 1, got 2 to 2: .*'gaussian'"),
    ("bernoulli", torch.full((4, 3), float("nan")), r"from 0 to 1"),
    ("gaussian", torch.zeros(3, 4), r"shape \(4, 3\), got \(3, 4\)"),
    ("gaussian", [0, 1, 2, 0], r"got list")])
def test_labels_that_do_not_fit_are_refused(likelihood, y, message):
    with pytest.raises(ValueError, match=message):
        fisher_information(nn.Linear(3, 3), [(torch.randn(4, 3), y)], labels="true",
                           likelihood=likelihood)


def test_the_remedies_for_labels_that_do_not_fit():
    """Counted from 0 in the task's own head; as whole numbers; or the full expectation."""
    torch.manual_seed(0)
    network, x, y = nn.Linear(3, 3), torch.randn(4, 3), torch.tensor([4.0, 5.0, 3.0, 4.0])
    with pytest.raises(ValueError, match=r"y\.long"):
        fisher_information(network, [(x, y)], labels="true")
    with pytest.raises(ValueError, match="count each task's classes from 0"):
        fisher_information(network, [(x, y.long())], labels="true")
    found = fisher_information(network, [(x, y.long() - 3)], labels="true")
    assert_same(found, naive_fisher(network, x, y.long() - 3, "true"), 1e-5)
    assert_same(fisher_information(network, [(x, (y - 3).to(torch.uint8))], labels="true"), found)
    whole = fisher_information(network, [(x, y)], labels="true", likelihood="gaussian",
                               forward=lambda x: network(x)[:, :1])
    assert whole["weight"][0].any()
    assert fisher_information(network, [(x, None)])["weight"].any()


def test_a_forward_that_does_not_use_the_network_is_refused():
    other = nn.Linear(3, 2)
    for trainable in (True, False):
        other.requires_grad_(trainable)
        with pytest.raises(ValueError, match="no trainable parameter of this network"):
            fisher_information(nn.Linear(3, 2), [(torch.randn(4, 3), None)], forward=other)


def test_batch_norm_without_statistics_is_refused():
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, track_running_stats=False))
    with pytest.raises(ValueError, match="mixes the examples"):
        fisher_information(network, [(torch.randn(4, 3), None)])
