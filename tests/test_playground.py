"""The playground's settings, confirmed with the package, and its sheet of digits."""

import base64
import io
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import traitlets
from PIL import Image
from torch import nn

from si_tutorial import datasets
from si_tutorial.explorables.playground import Playground, digit_sheet
from si_tutorial.importance import SynapticIntelligence
from si_tutorial.networks import MultiHeadNetwork, start_weights

CENTERS = np.array([(-0.55, 0.55), (0.55, 0.55), (0.55, -0.55), (-0.55, -0.55)])
CELLS = np.array([(x, y) for y in np.linspace(1, -1, 8) for x in np.linspace(-1, 1, 8)])


def place_cells(xy):
    """Activity of 8 × 8 Gaussian place cells of width 2/7, row by row from the top left."""
    return np.exp(-((xy[:, None] - CELLS) ** 2).sum(2) / (2 * (2 / 7) ** 2))


def islands(rng, size):
    """For each of four tasks: `size` points, class 1 in a disc, class 0 in the ring round it."""
    for center in CENTERS:
        y = np.arange(size) % 2
        radius = np.where(y, 0.15 * np.sqrt(rng.random(size)), rng.uniform(0.3, 0.4, size))
        angle = rng.uniform(0, 2 * np.pi, size)
        xy = center + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        yield torch.tensor(place_cells(xy)), torch.tensor(y)


def after_all(seed, strength, steps=200):
    """Test accuracy on each of the four islands after training on one after another."""
    rng = np.random.default_rng(seed)
    network = start_weights(MultiHeadNetwork(
        nn.Sequential(nn.Linear(64, 64), nn.Tanh()), input_shape=(64,), features=64, heads=2),
        seed=seed, weights="torch", head_weights="random").double()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    si = SynapticIntelligence(network, strength=strength, damping=0.1).attach(optimizer)
    tests = list(islands(rng, 200))
    for x, y in islands(rng, 240):
        for _ in range(steps):
            rows = torch.from_numpy(rng.integers(240, size=32))
            optimizer.zero_grad()
            F.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()
        si.consolidate()
        optimizer.state.clear()
    with torch.no_grad():
        return [(network(x).argmax(1) == y).double().mean().item() for x, y in tests]


@pytest.mark.parametrize("seed", range(10))
def test_the_package_forgets_the_islands_without_si_and_keeps_them_with_it(seed):
    assert np.mean(after_all(seed, 0.0)) <= 0.70
    assert np.mean(after_all(seed, 1.0)) >= 0.95


def test_the_sheet_holds_the_subset_digit_by_digit():
    file = base64.b64decode(digit_sheet())
    assert len(file) < 120_000
    picture = Image.open(io.BytesIO(file))
    levels = np.array(picture.convert("L")) // 17
    assert levels.shape == (700, 700) and set(np.unique(levels)) == set(range(16))
    images = levels.reshape(10, 5, 14, 50, 14).transpose(0, 1, 3, 2, 4).reshape(10, 250, 14, 14)
    data = datasets.subset()
    for digit in (0, 7):
        for at, whole in ((0, data.x_train[data.y_train == digit][0]),
                          (199, data.x_train[data.y_train == digit][199]),
                          (200, data.x_test[data.y_test == digit][0]),
                          (249, data.x_test[data.y_test == digit][49])):
            mean = np.array([[whole[0, 2 * i:2 * i + 2, 2 * j:2 * j + 2].double().mean()
                              for j in range(14)] for i in range(14)])
            assert np.abs(17.0 * images[digit, at] - mean).max() <= 8.5


def test_a_page_is_told_about_its_address_and_a_notebook_is_not():
    figure = Playground(address=True)
    assert figure.state()["address"] is True and "address" not in figure.traits()
    assert Playground().state()["address"] is False


def test_settings_outside_their_bounds_are_refused():
    for wrong in ({"method": "magic"}, {"log_strength": 7.0}, {"hidden": 63}, {"order": "1 2"}):
        with pytest.raises(traitlets.TraitError):
            Playground(**wrong)


def test_the_page_is_small_and_asks_no_other_host():
    plain, digits = Playground().static(), Playground.with_digits().static()
    assert len(plain.encode()) <= 200_000 and len(digits.encode()) <= 400_000
    for page in (plain, digits):
        assert not re.search(r"https?:(//|%)(?!www\.w3\.org/2000/svg)", page)
        assert page.count("</script>") == 1
