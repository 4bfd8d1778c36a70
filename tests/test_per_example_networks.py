"""Per-example curvature of many kinds of networks: loops over examples, and the routes taken."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint
from twins import assert_same, batches, naive_fisher, naive_sensitivity

from si_tutorial.fisher import fisher_information, output_sensitivity
from si_tutorial.per_example.checking import Checker
from si_tutorial.per_example.mapping import Mapping

pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop",
                                        "ignore:Using padding='same'",
                                        "ignore:.*weight_norm.* is deprecated")
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.bfloat16: 0.05}


class Built(nn.Module):
    """Modules and parameters by name, and a function of them and x."""

    def __init__(self, compute, **parts):
        super().__init__()
        self.compute = compute
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.compute(self, x)


class Block(nn.Module):
    """A small residual network with batch normalisation; its statistics are those of real data."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.second, self.norm2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)
        self(2 * torch.randn(32, 2, 6, 6) + 1)

    def forward(self, x):
        z = F.relu(self.norm(self.first(x)), inplace=True)
        z = F.relu(z + self.norm2(self.second(z)))
        return self.head(z.mean((2, 3)))


def recurrent(cls, **options):
    layer = cls(4, 5, batch_first=True, **options)
    width = layer(torch.randn(1, 2, 4))[0].shape[-1]
    return Built(lambda net, x: net.head(net.inner(x)[0][:, -1]), inner=layer,
                 head=nn.Linear(width, 3))


def transformer(**options):
    inner = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, **options)
    return Built(lambda net, x: net.head(net.inner(x).mean(1)), inner=inner, head=nn.Linear(4, 3))


def tied(bare):
    """Its layer `a`, and a bare use of the layer's weight."""
    return Built(lambda net, x: net.head(torch.tanh(bare(net, x))), a=nn.Linear(4, 4),
                 head=nn.Linear(4, 3))


def dead_first(net, x):
    """The issue's: with inputs of zero the bare use has no gradient."""
    return net.a(F.relu(x @ net.a.weight))


def dead_branch(net, x):
    return net.a(x) + F.relu(x.sum(1, keepdim=True) - 3) * (x @ net.a.weight)


def cast_once(net, x):
    """Under autocast both uses share one cast weight."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return (net.a(x) + F.linear(x, net.a.weight)).to(x.dtype)


def hooked(module, hook):
    module.register_forward_hook(hook)
    return module


def only_positive(layer, args, outputs):
    return outputs * (args[0].sum(1, keepdim=True) > 0)


def patched(layer):
    layer.forward = lambda x: F.linear(x, layer.weight, layer.bias) * x.sum(1, keepdim=True).relu()
    return layer


def by_row(net, x):
    return torch.cat([net.a(row[None]) * net.scale if row.sum() > 0 else net.b(row[None])
                      for row in x])


def gradient_inside(net, x):
    x = x.detach().requires_grad_()
    return net.head(torch.autograd.grad(net.a(x).tanh().sum(), x, create_graph=True)[0])


def frozen_backbone(net, x):
    with torch.no_grad():
        z = net.a(x)
    return net.head(torch.tanh(net.b(z)))


def with_statistics(norm):
    """As after some training, and with gains of its own."""
    norm(2 * torch.randn(32, norm.num_features) + 1)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-1, 2, norm.num_features))
    return norm


def with_tied_outputs(embedding):
    network = Built(lambda net, x: net.head(torch.tanh(net.a(x).mean(1))), a=embedding,
                    head=nn.Linear(4, 10))
    network.head.weight = embedding.weight
    return network


def sequences():
    return torch.randn(7, 3, 4)


def rows():
    return torch.randn(7, 4)


def rows_that_begin_with_zeros():
    x = torch.randn(7, 4)
    x[:2] = 0
    return x


def rows_that_begin_small():
    """The branch is dead for the first two, and not for the others."""
    x = torch.randn(7, 4)
    return x + torch.tensor([0.0, 0, 2, 2, 2, 2, 2])[:, None] - x.mean(1, keepdim=True)


def images():
    return torch.randn(7, 2, 6, 6)


def words():
    return torch.randint(10, (7, 3))


LINEAR = {"a.weight", "a.bias", "head.weight", "head.bias"}
HEAD = {"head.weight", "head.bias"}
ENCODER = HEAD | {f"inner.{layer}.{role}" for layer in ("linear1", "linear2", "norm1", "norm2")
                  for role in ("weight", "bias")}
# what it is: the network, its inputs, what must be contracted, whether torch.func serves the rest
KINDS = {
    "LSTM": (lambda: recurrent(nn.LSTM), sequences, HEAD, None),
    "LSTM with projections": (lambda: recurrent(nn.LSTM, proj_size=2), sequences, HEAD, None),
    "GRU": (lambda: recurrent(nn.GRU), sequences, HEAD, None),
    "deep GRU in both directions": (
        lambda: recurrent(nn.GRU, num_layers=2, bidirectional=True), sequences, HEAD, None),
    "transformer layer": (transformer, sequences, ENCODER, True),
    "transformer layer, norm first": (
        lambda: transformer(norm_first=True, activation="gelu"), sequences, ENCODER, True),
    "residual": (Block, images, HEAD | {
        f"{layer}.{role}" for layer in ("first", "norm", "second", "norm2")
        for role in ("weight", "bias")} - {"first.bias"}, None),
    "groups normalised": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.b(net.a(x))).mean((2, 3))),
                      a=nn.Conv2d(2, 4, 3), b=nn.GroupNorm(2, 4), head=nn.Linear(4, 3)),
        images, LINEAR | {"b.weight", "b.bias"}, None),
    "normalised over two axes, used twice": (
        lambda: Built(lambda net, x: net.head(net.a(torch.tanh(net.a(x))).flatten(1)),
                      a=nn.LayerNorm((3, 4)), head=nn.Linear(12, 3)), sequences, LINEAR, None),
    "rows normalised": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.b(net.a(x)))), a=nn.Linear(4, 4),
                      b=with_statistics(nn.BatchNorm1d(4)), head=nn.Linear(4, 3)),
        rows, LINEAR | {"b.weight", "b.bias"}, None),
    "convolutions of a line": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.b(net.a(x.mT))).mean(2)),
                      a=nn.Conv1d(4, 6, 2, padding="same", dilation=2, groups=2),
                      b=nn.Conv1d(6, 4, 3, padding=1, stride=2, bias=False),
                      head=nn.Linear(4, 3)), sequences, LINEAR | {"b.weight"}, None),
    "convolution of a picture": (
        lambda: Built(lambda net, x: net.head(net.a(x).mean((2, 3))), head=nn.Linear(4, 3),
                      a=nn.Conv2d(2, 4, (2, 3), padding=(0, 2), stride=(2, 1), groups=2)),
        images, LINEAR, None),
    "embedding": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.a(x).mean(1))),
                      a=nn.Embedding(10, 4), head=nn.Linear(4, 3)), words, HEAD | {"a.weight"},
        None),
    "embedding with a blank, used twice": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.a(x) * net.a(x.flip(1)) ** 2).sum(1)),
                      a=nn.Embedding(10, 4, padding_idx=3), head=nn.Linear(4, 3)),
        words, HEAD | {"a.weight"}, None),
    "embedding tied to the outputs": (
        lambda: with_tied_outputs(nn.Embedding(10, 4)), words, {"head.bias"}, True),
    "embedding of bounded length": (
        lambda: Built(lambda net, x: net.head(net.a(x).mean(1)), head=nn.Linear(4, 3),
                      a=nn.Embedding(10, 4, max_norm=100.0)), words, HEAD, None),
    "changed in place": (
        lambda: Built(lambda net, x: net.head(F.relu(net.a(x), inplace=True).flatten(1)),
                      a=nn.Linear(4, 5), head=nn.Linear(15, 3)), sequences, LINEAR, True),
    "tied, first use at zero": (
        lambda: tied(dead_first), rows_that_begin_with_zeros, LINEAR - {"a.weight"}, True),
    "tied, branch dead at first": (
        lambda: tied(dead_branch), rows_that_begin_small, LINEAR - {"a.weight"}, True),
    "hook on the outputs": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.a(x))),
                      a=hooked(nn.Linear(4, 4), only_positive), head=nn.Linear(4, 3)),
        rows, None, True),
    "another forward": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.a(x))), a=patched(nn.Linear(4, 4)),
                      head=nn.Linear(4, 3)), rows, HEAD, True),
    "called without its hooks": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.a.forward(x))), a=nn.Linear(4, 4),
                      head=nn.Linear(4, 3)), rows, HEAD, True),
    "old weight norm": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.a(x))),
                      a=nn.utils.weight_norm(nn.Linear(4, 4)), head=nn.Linear(4, 3)),
        rows, HEAD, True),
    "branches on the data": (
        lambda: Built(lambda net, x: net.head(by_row(net, x)), a=nn.Linear(4, 4),
                      b=nn.Linear(4, 4), scale=nn.Parameter(torch.ones(4)), head=nn.Linear(4, 3)),
        rows, HEAD, False),
    "sparse embedding": (
        lambda: Built(lambda net, x: net.head(net.a(x).mean(1)), a=nn.Embedding(10, 4, sparse=True),
                      head=nn.Linear(4, 3)), words, HEAD | {"a.weight"}, None),
    "gradient inside": (
        lambda: Built(gradient_inside, a=nn.Linear(4, 4), head=nn.Linear(4, 3)), rows, None, False),
    "frozen backbone": (
        lambda: Built(frozen_backbone, a=nn.Linear(4, 4), b=nn.Linear(4, 4), head=nn.Linear(4, 3)),
        rows, HEAD | {"b.weight", "b.bias"}, True),
    "checkpointed": (
        lambda: Built(lambda net, x: net.head(checkpoint(net.a, net.scale * x,
                                                         use_reentrant=False)),
                      a=nn.Linear(4, 4), scale=nn.Parameter(torch.ones(4)), head=nn.Linear(4, 3)),
        rows, LINEAR, None),
    "without elements": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.a(x))) + net.empty(x).sum(),
                      empty=nn.Linear(4, 0), a=nn.Linear(4, 4), head=nn.Linear(4, 3)),
        rows, LINEAR, True),
    "permuted inside": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.a(x) + net.a(x.flip(0)).flip(0))),
                      a=nn.Linear(4, 4), head=nn.Linear(4, 3)), rows, HEAD, True),
    "prompt": (
        lambda: Built(lambda net, x: net.head(torch.tanh(net.a(net.token.expand(len(x), 4)) + x)),
                      token=nn.Parameter(torch.ones(4)), a=nn.Linear(4, 4), head=nn.Linear(4, 3)),
        rows, LINEAR, True),
}


@pytest.fixture
def routes(monkeypatch):
    """What was contracted in each batch of several examples, and whether torch.func served."""
    seen = {"contracted": [], "batched": []}
    contracted, each = Checker.contracted, Mapping.each

    def note_contracted(self, record):
        found = contracted(self, record)
        if len(record.logits) > 1:
            seen["contracted"].append(found)
        return found

    def note_each(self, *args):
        found = each(self, *args)
        seen["batched"].append(self.batched)
        return found

    monkeypatch.setattr(Checker, "contracted", note_contracted)
    monkeypatch.setattr(Mapping, "each", note_each)
    return seen


def built(kind, dtype):
    torch.manual_seed(0)
    make, inputs, contracted, batched = KINDS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what PyTorch would have one use instead
        network, x = make().to(dtype), inputs()
    return network, x.to(dtype) if x.is_floating_point() else x, contracted, batched


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_the_loop_over_examples(kind, dtype, routes):
    """In batches of 4 and 3, and of one; contraction is used where it can be."""
    network, x, contracted, batched = built(kind, dtype)
    expected = naive_fisher(network, x)
    assert_same(fisher_information(network, batches(x)), expected, TOLERANCE[dtype])
    names = {p: n for n, p in network.named_parameters()}
    if contracted is not None:
        assert [{names[p] for p in used} for used in routes["contracted"]] == [contracted] * 2
    if batched is not None:
        assert all(served == batched for served in routes["batched"][1:])
    assert_same(fisher_information(network, batches(x, size=1)), expected, TOLERANCE[dtype])


@pytest.mark.parametrize("kind", KINDS)
def test_the_sensitivity_is_the_loop(kind):
    network, x, *_ = built(kind, torch.float64)
    assert_same(output_sensitivity(network, batches(x)), naive_sensitivity(network, x), 1e-9)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("kind", ["LSTM", "transformer layer", "residual",
                                  "tied, first use at zero"])
def test_other_likelihoods(kind, likelihood):
    network, x, *_ = built(kind, torch.float64)
    assert_same(fisher_information(network, batches(x), likelihood=likelihood),
                naive_fisher(network, x, likelihood=likelihood), 1e-9)


@pytest.mark.parametrize("training", [True, False])
def test_batch_normalisation_in_either_mode(training):
    """It is measured with its running statistics, which stay; so does the mode."""
    torch.manual_seed(0)
    network, x = Block().double().train(training), images().double()
    statistics = {n: b.clone() for n, b in network.named_buffers()}
    assert_same(fisher_information(network, batches(x)), naive_fisher(network, x), 1e-9)
    assert network.training == network.norm.training == training
    assert all(torch.equal(b, statistics[n]) for n, b in network.named_buffers())


def test_one_cast_for_two_uses():
    """Autocast casts a weight once, so the graph has one edge to it though it is used twice."""
    torch.manual_seed(0)
    network, x = tied(cast_once), rows()
    x[:2] = 0  # nothing to see there
    assert_same(fisher_information(network, batches(x)), naive_fisher(network, x), 0.05)


def test_a_weight_that_forward_holds_itself():
    """`functional_call` would put another in its place, unseen: its gradient would be zero."""
    torch.manual_seed(0)
    network = Built(None, a=nn.Linear(4, 4), head=nn.Linear(4, 3)).double()
    weight, x = network.a.weight, rows().double()

    def forward(x):
        return network.head(torch.tanh(F.linear(x, weight, network.a.bias)))

    assert_same(fisher_information(network, batches(x), forward=forward),
                naive_fisher(network, x, forward=forward), 1e-9)


def test_a_head_outside_the_network_with_weights_of_its_own():
    """They need a gradient too, and belong to nobody here: torch.func still serves."""
    torch.manual_seed(0)
    network, head = nn.Sequential(nn.Linear(4, 4), nn.PReLU()).double(), nn.Linear(4, 3).double()
    x = rows().double()
    assert_same(fisher_information(network, batches(x), forward=lambda x: head(network(x))),
                naive_fisher(network, x, forward=lambda x: head(network(x))), 1e-9)


def test_torch_func_that_is_wrong_is_not_used(monkeypatch):
    """It is compared with autograd, as contraction is."""
    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Linear(4, 4), nn.PReLU(4), nn.Linear(4, 3)).double(), rows()
    at_once = Mapping._at_once

    def wrong(self, *args):
        grads, logits = at_once(self, *args)
        return {p: 1.1 * g for p, g in grads.items()}, logits

    monkeypatch.setattr(Mapping, "_at_once", wrong)
    assert_same(fisher_information(network, batches(x.double())),
                naive_fisher(network, x.double()), 1e-9)


def test_recurrent_layers_run_without_cudnn():
    """Its backward pass refuses evaluation mode; the user's setting comes back."""
    before, seen = torch.backends.cudnn.enabled, []
    network = recurrent(nn.GRU)

    def forward(x):
        seen.append(torch.backends.cudnn.enabled)
        return network(x)

    fisher_information(network, [(sequences(), None)], forward=forward)
    assert not any(seen) and torch.backends.cudnn.enabled == before
