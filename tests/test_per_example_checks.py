"""What per-example curvature notices: compiled code, mixed examples, random networks, long sums."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint
from twins import assert_same, batches, naive_fisher

from si_tutorial.fisher import fisher_information, output_sensitivity
from si_tutorial.per_example.checking import Checker

MEASURES = [fisher_information, output_sensitivity]
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 0.05}


def two_layers(seed=0):
    """A network in float64 and eight examples."""
    torch.manual_seed(seed)
    network = nn.ModuleDict({"a": nn.Linear(4, 4), "head": nn.Linear(4, 3)}).double()
    return network, torch.randn(8, 4).double()


def plain(network):
    return lambda x: network["head"](torch.tanh(network["a"](x)))


# -------------------------------------------------------------------------------- compiled code

def compiled(network, how):
    """A network, or a forward around it, that was compiled and has run."""
    forward = plain(network)
    if how == "function":
        ready = torch.compile(forward, backend="aot_eager")
    elif how == "inside":
        inner = torch.compile(network["a"], backend="aot_eager")

        def ready(x):
            return network["head"](torch.tanh(inner(x)))
    elif how == "in place":
        network["a"].compile(backend="aot_eager")
        ready = forward
    else:
        ready = torch.compile(nn.Sequential(network["a"], nn.Tanh(), network["head"]),
                              backend="aot_eager")
    for size in (8, 4):
        ready(torch.randn(size, 4).double()).sum().backward()
    return ready


@pytest.mark.parametrize("how", ["network", "function", "inside", "in place"])
def test_what_was_compiled_and_run_before(how):
    """Its code runs without the hooks that record."""
    network, x = two_layers()
    expected = naive_fisher(network, x, forward=plain(network))
    ready = compiled(network, how)
    for size in (4, 1):
        assert_same(fisher_information(network, batches(x, size=size), forward=ready), expected)
    torch._dynamo.reset()


def test_compiled_code_where_pytorch_cannot_be_told_to_leave_it(monkeypatch):
    """Before PyTorch 2.6: the layers are not seen, and autograd serves."""
    network, x = two_layers()
    monkeypatch.delattr(torch.compiler, "set_stance")
    with torch._functorch.config.patch(donated_buffer=False):  # as it was then
        ready = compiled(network, "network")
        assert_same(fisher_information(network, batches(x), forward=ready),
                    naive_fisher(network, x, forward=plain(network)))
    torch._dynamo.reset()


def test_compiled_code_is_left_as_it_was():
    network, x = two_layers()
    ready = compiled(network, "network")
    fisher_information(network, batches(x), forward=ready)
    assert "Compiled" in type(ready(x).grad_fn).__name__
    torch._dynamo.reset()


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_record_that_is_missing_is_no_zero(lost):
    """In the first batch, in a later one, or in the run of two that is compared."""
    network, x = two_layers()
    runs = []

    def forward(x):
        runs.append(len(x))
        bare = len(x) > 1 and sum(size > 1 for size in runs) == lost + 1
        z = F.linear(x, *network["a"].parameters()) if bare else network["a"](x)
        return network["head"](torch.tanh(z))

    assert_same(fisher_information(network, batches(x, size=3), forward=forward),
                naive_fisher(network, x, forward=plain(network)))


# ------------------------------------------------------------- nothing on the examples compared

def test_a_weight_whose_first_use_sees_zeros():
    """Zero against zero is no agreement, and a bare use is found in the graph."""
    network, x = two_layers()
    x[:2] = 0

    def forward(x):
        return network["head"](torch.tanh(network["a"](F.relu(x @ network["a"].weight))))

    assert_same(fisher_information(network, [(x, None)], forward=forward),
                naive_fisher(network, x, forward=forward))


def contracted(monkeypatch):
    """The sizes of the sets that were contracted, batch by batch."""
    sizes, real = [], Checker.contracted

    def note(self, record):
        sizes.append(len(real(self, record)))
        return real(self, record)

    monkeypatch.setattr(Checker, "contracted", note)
    return sizes


def test_what_could_not_be_compared_yet_is_compared_later(monkeypatch):
    """The weight of a layer whose inputs are zero at first: the slow way once, then contracted."""
    network, x = two_layers()
    x[:4] = 0
    sizes = contracted(monkeypatch)
    assert_same(fisher_information(network, batches(x), forward=plain(network)),
                naive_fisher(network, x, forward=plain(network)))
    assert sizes == [3, 4]


def test_a_network_that_is_plain_is_contracted_throughout(monkeypatch):
    network, x = two_layers()
    sizes = contracted(monkeypatch)
    fisher_information(network, batches(x), forward=plain(network))
    assert sizes == [4, 4]


@pytest.mark.parametrize("size", [1, 4, 8])
def test_a_plain_network_costs_one_run_a_batch(size):
    """Besides examples alone: one more a batch, and five runs of one or two when it begins."""
    network, x = two_layers()
    seen = []

    def forward(x):
        seen.append(len(x))
        return plain(network)(x)

    many = x.repeat(8, 1)  # 64 examples
    fisher_information(network, batches(many, size=size), forward=forward)
    count = 64 // size
    assert sum(n for n in seen if n == size and size > 1) == (64 if size > 1 else 0)
    assert sum(n for n in seen if n < size or size == 1) == (64 + 4 if size == 1 else count + 4)


# ------------------------------------------------------------------------------- mixed examples

MIXED = {
    "mean over the batch": lambda net, z: z - z.mean(0),
    "mean without a gradient": lambda net, z: z - z.detach().mean(0),
    "batch normalisation": lambda net, z: F.batch_norm(z[:, :, None].expand(-1, -1, 2), None, None,
                                                       training=True)[..., 0],
    "softmax over the batch": lambda net, z: z.softmax(0),
    "the neighbour": lambda net, z: z + z.roll(1, 0),
    "all before": lambda net, z: z.cumsum(0),
    "from the third on": lambda net, z: z + z[2:].sum(0),
    "only if there are many": lambda net, z: z + z.sum(0) * (len(z) > 3),
    "attention across": lambda net, z: F.scaled_dot_product_attention(z, z, z),
}


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("how", MIXED)
def test_examples_that_are_mixed_are_refused(how, dtype):
    """The remedy that is named: batches of one, where each is alone."""
    network, x = two_layers()
    network, x = network.to(dtype), x.to(dtype)

    def forward(x):
        return network["head"](MIXED[how](network, torch.tanh(network["a"](x))))

    for measure in MEASURES:
        with pytest.raises(ValueError, match="mixes the examples of a batch"):
            measure(network, [(x, None)], forward=forward)
    found = fisher_information(network, batches(x, size=1), forward=forward)
    assert_same(found, naive_fisher(network, x, forward=forward), TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_mixed_examples_under_a_head_of_zeros(dtype):
    """The logits are all equal there; only the gradients tell."""
    network, x = two_layers()
    network, x = network.to(dtype), x.to(dtype)
    nn.init.zeros_(network["head"].weight)

    def forward(x):
        z = network["a"](x)
        return network["head"](z - z.mean(0))

    with pytest.raises(ValueError, match="mixes the examples"):
        fisher_information(network, batches(x), forward=forward)


def test_mixed_examples_are_seen_where_the_layers_are_not_plain():
    torch.manual_seed(0)
    network, x = nn.Sequential(nn.PReLU(4), nn.LayerNorm(4)).double(), torch.randn(6, 4).double()
    with pytest.raises(ValueError, match="mixes the examples"):
        fisher_information(network, [(x, None)], forward=lambda x: network(x - x.mean(0)))


def test_mixed_examples_in_a_later_batch_are_seen():
    network, x = two_layers()

    def forward(x):
        z = network["a"](x)
        return network["head"](z + z.sum(0) * (len(x) == 3))

    with pytest.raises(ValueError, match="mixes the examples"):
        fisher_information(network, [(x[:4], None), (x[4:7], None)], forward=forward)


def test_a_forward_that_cannot_run_one_example_says_what_for():
    network, x = two_layers()
    with pytest.raises(ValueError, match="more than 1 value per channel") as raised:
        fisher_information(network, [(x, None)], forward=lambda x: F.batch_norm(
            plain(network)(x), None, None, training=True))
    assert "on 1 of 8 examples" in raised.value.__notes__[0]


def test_a_forward_for_one_size_of_batch_says_what_for():
    network, x = two_layers()
    state = torch.zeros(8, 4).double()
    with pytest.raises(ValueError, match=r"shape \(1, classes\), got \(8, 3\)") as raised:
        fisher_information(network, [(x, None)], forward=lambda x: plain(network)(x + state))
    assert "part of a batch" in raised.value.__notes__[0]


# ------------------------------------------------------------------------------ random networks

@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("size", [8, 4, 1])
@pytest.mark.parametrize("measure", MEASURES)
def test_a_random_forward_is_refused_and_the_remedy_serves(measure, size, dtype):
    network, x = two_layers()
    network, x = network.to(dtype), x.to(dtype)

    def forward(x, **mode):
        return network["head"](F.dropout(network["a"](x), **mode))

    with pytest.raises(ValueError, match=r"is random.* without training=self\.training"):
        measure(network, batches(x, size=size), forward=forward)

    def remedied(x):
        return forward(x, training=network.training)

    assert_same(measure(network, batches(x, size=size), forward=remedied),
                measure(network, batches(x, size=8), forward=lambda x: network["head"](
                    network["a"](x))), TOLERANCE[dtype])


def test_a_random_recurrent_network_is_called_random():
    torch.manual_seed(0)
    network, x = nn.GRU(4, 3, batch_first=True), torch.randn(4, 3, 4)
    with pytest.raises(ValueError, match="is random"):
        fisher_information(network, [(x, None)], forward=lambda x: F.dropout(network(x)[0][:, -1]))


# ----------------------------------------------------------------- where no gradient is recorded

@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_reentrant_checkpointing_is_refused_and_the_remedy_serves(dtype):
    network, x = two_layers()
    network, x = network.to(dtype), x.to(dtype)

    def forward(reentrant):
        return lambda x: network["head"](checkpoint(
            torch.tanh, checkpoint(network["a"], x.requires_grad_(), use_reentrant=reentrant),
            use_reentrant=False))

    for size in (8, 1):
        with pytest.raises(RuntimeError, match="use_reentrant=False"):
            fisher_information(network, batches(x, size=size), forward=forward(True))
        assert_same(fisher_information(network, batches(x, size=size), forward=forward(False)),
                    naive_fisher(network, x, forward=plain(network)), TOLERANCE[dtype])


@pytest.mark.parametrize("decorated", [torch.no_grad(), torch.inference_mode(), None])
def test_logits_without_a_gradient_are_refused_by_name(decorated):
    network, x = two_layers()
    forward = plain(network)
    without = decorated(forward) if decorated else lambda x: forward(x).detach()
    with pytest.raises(ValueError, match="no_grad, inference_mode or detach"):
        fisher_information(network, [(x, None)], forward=without)


@pytest.mark.parametrize("outside", [torch.no_grad, torch.inference_mode])
def test_gradients_that_are_switched_off_around_the_measure(outside):
    network, x = two_layers()
    with outside():
        found = fisher_information(network, batches(x), forward=plain(network))
    assert_same(found, naive_fisher(network, x, forward=plain(network)))
    assert not any(t.requires_grad or t.is_inference() for t in found.values())


# ------------------------------------------------------------------------------------ long sums

@pytest.mark.parametrize("dtype, size", [(torch.bfloat16, 1), (torch.bfloat16, 4),
                                         (torch.float16, 4), (torch.bfloat16, 100)], ids=str)
def test_sums_do_not_drown_in_a_short_dtype(dtype, size):
    """A total in bfloat16 stands still once it is 256 times as large as what is added."""
    torch.manual_seed(0)
    network, x = nn.Linear(4, 3), torch.randn(1000, 4)
    full = fisher_information(network, [(x.to(dtype).float(), None)])
    found = fisher_information(network.to(dtype), batches(x.to(dtype), size=size))
    assert all(t.dtype is torch.float32 for t in found.values())
    assert_same(found, full, 0.02)


def test_wider_parameters_keep_their_dtype():
    network, x = two_layers()
    network["a"].float()
    found = output_sensitivity(network, batches(x.float()),
                               forward=lambda x: network["head"](network["a"](x).double()))
    assert found["a.weight"].dtype is torch.float32 and found["head.weight"].dtype is torch.float64


def test_a_cast_on_the_way_does_not_look_like_mixing():
    """Autocast rounds by 1 %, and differently with the size of a batch; the logits are float32."""
    torch.manual_seed(0)
    layers = [m for _ in range(6) for m in (nn.Linear(64, 64), nn.ReLU())]
    network, x = nn.Sequential(*layers, nn.Linear(64, 3)), torch.randn(64, 64)

    def forward(x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return network(x).float()

    found = fisher_information(network, batches(x, size=32), forward=forward)
    assert_same(found, naive_fisher(network, x, forward=forward), 0.1)


def test_not_a_number_is_left_to_be_seen():
    network, x = two_layers()
    x[3, 1] = float("nan")
    found = fisher_information(network, batches(x), forward=plain(network), labels="argmax")
    assert found["a.weight"].isnan().any()


def test_nothing_is_left_behind():
    network, x = two_layers()
    network["a"].register_forward_hook(lambda *args: None)
    fisher_information(network, batches(x), forward=plain(network))
    assert len(network["a"]._forward_hooks) == 1 and not network["head"]._forward_hooks
    assert torch.is_grad_enabled()
