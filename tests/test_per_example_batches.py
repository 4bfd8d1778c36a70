"""What batches and outputs may look like, and that each remedy in a message serves."""

from collections import OrderedDict, UserDict, namedtuple
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from twins import assert_same, batches, naive_fisher

from si_tutorial.fisher import fisher_information, output_sensitivity

Pair = namedtuple("Pair", "left right")


class Two(nn.Module):
    """A network of two inputs, with a parameter that goes through torch.func."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Linear(4, 3), nn.Linear(2, 3), nn.Linear(3, 3)
        self.scale = nn.Parameter(torch.tensor([0.5, 1.0, 2.0]))

    def forward(self, left, right):
        return self.head(torch.tanh(self.a(left) + self.scale * self.b(right)))


def two():
    torch.manual_seed(0)
    return Two().double(), torch.randn(7, 4).double(), torch.randn(7, 2).double()


FORMS = {
    "tuple": (lambda a, b: (a, b), lambda x: x),
    "list": (lambda a, b: [a, b], lambda x: x),
    "named tuple": (Pair, lambda x: (x.left, x.right)),
    "dict": (lambda a, b: {"a": a, "b": b}, lambda x: (x["a"], x["b"])),
    "dict of its own class": (lambda a, b: UserDict(a=a, b=b), lambda x: (x.data["a"], x["b"])),
    "nested": (lambda a, b: OrderedDict(a=(a, [b]), mask=None),
               lambda x: (x["a"][0], x["a"][1][0])),
}


@pytest.mark.parametrize("size", [7, 3, 1])
@pytest.mark.parametrize("form", FORMS)
def test_inputs_may_be_tuples_and_dicts(form, size):
    network, left, right = two()
    make, parts = FORMS[form]

    def forward(x):
        return network(*parts(x))

    def joined(x):
        return network(x[:, :4], x[:, 4:])

    x = torch.cat([left, right], 1)
    found = fisher_information(network, batches(make(left, right), size=size), forward=forward)
    assert_same(found, naive_fisher(network, x, forward=joined))
    given = make(left, right)
    output_sensitivity(network, [(given, None)], forward=forward)
    assert parts(given)[0] is left  # what came in is as it was


def test_batches_of_a_data_loader():
    network, left, _ = two()
    loader = DataLoader(TensorDataset(left, torch.arange(7) % 3), batch_size=3)
    layer = nn.Sequential(network.a, nn.Tanh())
    assert_same(fisher_information(layer, loader, labels="true"),
                naive_fisher(layer, left, torch.arange(7) % 3, "true"))


def test_batches_without_examples_change_nothing():
    network, left, right = two()
    whole = [((left, right), None)]
    nothing = [((left[:0], right[:0]), None)]
    forward = lambda x: network(*x)  # noqa: E731
    assert_same(fisher_information(network, nothing + whole + nothing, forward=forward),
                fisher_information(network, whole, forward=forward))
    with pytest.raises(ValueError, match="no examples"):
        fisher_information(network, nothing, forward=forward)


@pytest.mark.parametrize("measure", [fisher_information, output_sensitivity])
def test_batches_of_three_and_the_remedy(measure):
    network, left, right = two()
    with pytest.raises(ValueError, match=r"a tuple of 3 \(\(7, 4\), \(7, 2\), \(7,\)\).* \(\(a,"):
        measure(network, [(left, right, torch.zeros(7))])
    found = measure(network, [((left, right), torch.zeros(7))], forward=lambda x: network(*x))
    assert found["a.weight"].any()


@pytest.mark.parametrize("batch, came", [
    (torch.zeros(2, 4), r"a tensor of shape \(2, 4\)"), ({"x": torch.zeros(2, 4)}, r"a dict of 1"),
    ([torch.zeros(2, 4)], r"a list of 1 \(\(2, 4\)\)"), (None, "an object of type NoneType")])
def test_batches_that_are_no_pairs_and_the_remedy(batch, came):
    network = nn.Linear(4, 3)
    with pytest.raises(ValueError, match=rf"must be a pair \(x, y\), got {came}.*\(x, None\)"):
        fisher_information(network, [batch])
    assert fisher_information(network, [(torch.ones(2, 4), None)])["weight"].any()


@pytest.mark.parametrize("x, came", [
    ((torch.zeros(2, 4), torch.zeros(3, 4)), r"a tuple of 2 \(\(2, 4\), \(3, 4\)\)"),
    ({"a": torch.zeros(2, 4), "b": torch.tensor(1.0)}, r"a dict of 2 \('a': \(2, 4\), 'b': \(\)\)"),
    ((), "a tuple of 0")])
def test_inputs_that_hold_no_examples(x, came):
    with pytest.raises(ValueError, match=f"one example per row, got {came}"):
        fisher_information(nn.Linear(4, 3), [(x, None)])


def test_inputs_that_hold_something_else_and_the_remedy():
    network, left, right = two()
    with pytest.raises(ValueError, match=r"holds an object of type float.*belongs into `forward`"):
        fisher_information(network, [((left, 2.0), None)], forward=lambda x: network(x[0], x[1]))
    found = fisher_information(network, [((left, right), None)],
                               forward=lambda x: network(x[0], 2.0 * x[1]))
    assert found["b.weight"].any()


def test_inputs_that_are_arrays_and_the_remedy():
    network, left, _ = two()
    with pytest.raises(ValueError, match=r"of type ndarray. .*torch\.as_tensor\(x\)"):
        fisher_information(network.a, [(left.numpy(), None)])
    assert fisher_information(network.a, [(torch.as_tensor(left.numpy()), None)])["weight"].any()


# -------------------------------------------------------------------------------------- outputs

def sequence():
    torch.manual_seed(0)
    return nn.Linear(4, 3).double(), torch.randn(5, 6, 4).double()


@pytest.mark.parametrize("wrap, came, remedy", [
    (lambda z: SimpleNamespace(logits=z), r"type SimpleNamespace\. .* network\(x\)\.logits",
     lambda z: z.logits),
    (lambda z: (z, None), r"a tuple of 2 \(\(5, 3\), NoneType\)\. .* network\(x\)\[0\]",
     lambda z: z[0]),
    (lambda z: z[:, 0], r"got \(5,\)\. .*logits\[:, None\]", lambda z: z[:, None]),
    (lambda z: z.argmax(1), r"shape \(5, classes\), got \(5,\)", None),
    (lambda z: z.round().long(), "int64: classes that are chosen", lambda z: z.double()),
    (lambda z: z[:3], r"shape \(5, classes\), got \(3, 3\)", None)])
def test_other_outputs_are_refused_and_the_remedy_serves(wrap, came, remedy):
    network, x = sequence()

    def forward(x):
        return wrap(network(x[:, -1]))

    with pytest.raises(ValueError, match=came):
        fisher_information(network, [(x, None)], forward=forward, likelihood="gaussian")
    if remedy and came[:3] != "int":
        assert_same(
            fisher_information(network, [(x, None)], forward=lambda x: remedy(forward(x)),
                               likelihood="gaussian"),
            naive_fisher(network, x, forward=lambda x: remedy(forward(x)), likelihood="gaussian"))


def test_logits_of_each_position_and_the_remedies():
    """(batch, length, classes): which of them does the one label belong to?"""
    network, x = sequence()
    with pytest.raises(ValueError, match=r"got \(5, 6, 3\)\. .*logits\[:, -1\].*flatten\(1\)"):
        fisher_information(network, [(x, None)])
    for remedy in (lambda z: z[:, -1], lambda z: z.mean(1)):
        def forward(x, remedy=remedy):
            return remedy(network(x))
        assert_same(fisher_information(network, [(x, None)], forward=forward),
                    naive_fisher(network, x, forward=forward))
    found = fisher_information(network, [(x, None)], likelihood="gaussian",
                               forward=lambda x: network(x).flatten(1))
    per_position = fisher_information(network, [(x.flatten(0, 1), None)], likelihood="gaussian")
    assert_same(found, {n: 6 * f for n, f in per_position.items()})


def test_one_example_alone_must_have_logits_too():
    """A squeeze that takes the batch away where it is one."""
    network, x = sequence()
    with pytest.raises(ValueError, match=r"shape \(1, classes\), got \(3,\)"):
        fisher_information(network, [(x[:, 0], None)], forward=lambda x: network(x).squeeze())
