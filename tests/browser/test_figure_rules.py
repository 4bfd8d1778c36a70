"""Rules that a fresh reader asked for: what a figure says can be checked, read, and reached."""

import re
from itertools import product

import numpy as np
import pytest
from live_figures import looks, record

from si_tutorial.explorables.mathematics import critical_batch
from si_tutorial.explorables.published import summaries

ONCE, BOTH = looks("wide"), looks("wide", "phone")
RNG = np.random.default_rng(10)


def told(figure):
    return figure.locator(".si-said").inner_text().replace("\u00a0", " ")


def bar(figure, key):
    return figure.locator(f"td[data-what='{key}']").inner_text()


def drawn(figure, which=0):
    return figure.locator("svg:visible:not(.si-inside)").nth(which).locator(
        "text").all_text_contents()


def setting(power, ends, learned):
    """Runs of one strength: seeds that end at `ends`, each task learned to `learned`."""
    runs = [record("SI", 10.0**power, 1e-3, 0, seed=seed) for seed in range(len(ends))]
    for run, end in zip(runs, ends, strict=True):
        kept = (4 * end - learned) / 3  # of the last row's four entries three are old tasks
        run["accuracy"] = [[learned if i == j else kept for j in range(4)] for i in range(4)]
    return runs


@ONCE
@pytest.mark.parametrize("_", range(3))
def test_a_verdict_on_a_strength_follows_from_the_numbers_beside_it(_, opened, look):
    runs = [setting(power, RNG.uniform(0.95, 0.99, 3).round(3), round(RNG.uniform(0.96, 1), 3))
            for power in range(-3, 5)]
    runs[3] = setting(0, [0.985, 0.99, 0.995], 0.999)  # the best; a weaker one ends like a stiffer
    runs[2], runs[5] = setting(-1, [0.98] * 3, 0.998), setting(2, [0.98] * 3, 0.984)
    figure, _ = opened("strength_damping", runs=summaries(r for seeds in runs for r in seeds))
    strength, verdicts = figure.locator("input[name=log_strength]"), set()
    for power in range(-3, 5):
        strength.fill(str(power))
        words = told(figure)
        verdict, numbers = words.partition(":")[0], [float(n) for n in
                                                     re.findall(r"\d+\.\d", words)]
        if words.startswith("The highest mean"):
            assert numbers[:3] == [99.0, 98.5, 99.5] and power == 0
            continue
        end, low, high, *rest = numbers[:5]
        assert (low, high) == (98.5, 99.5)  # one range for all, and never the setting's own
        if end >= low:
            assert verdict == "Too close to call" and end <= high
        else:
            learned, best = rest
            lost, unlearned = round(10 * (99.0 - end)), round(10 * (best - learned))
            assert verdict == ("Too weak" if lost > 2 * unlearned else "Too strong"), words
        verdicts.add(verdict)
    assert {"Too weak", "Too strong"} <= verdicts


@ONCE
def test_springs_that_do_harm_show_it_in_the_digits(opened, look):
    figure, _ = opened("best_c", angle1=135.0, flat1=0.0)
    for power in np.arange(-2, 2.05, 0.25):
        figure.locator("input[name=log_strength]").fill(str(power))
        words = told(figure)
        assert bar(figure, "forgetting") in words and bar(figure, "none") in words
        same = bar(figure, "forgetting") == bar(figure, "none")
        assert ("as much as without" in words) == same
        assert not (same and "worse" in words)


@ONCE
def test_piles_are_counted_on_one_scale(opened, look):
    figure, _ = opened("square_of_mean")
    for power in range(8):
        figure.locator("input[name=log_batch]").fill(str(power))
        above, below = ([t for t in drawn(figure, which) if t.isdigit() and t not in "24"]
                        for which in (0, 1))
        assert above == below and len(above) == 4  # three heights, and a value of zero
        ends = figure.evaluate("""f => [...f.querySelectorAll("svg.si-inside")].map((svg) =>
          Math.min(...[...svg.querySelectorAll("rect")].slice(1).map((r) => r.y.baseVal.value
            - svg.y.baseVal.value)))""")
        assert min(ends) > 0  # no pile is cut off


@ONCE
def test_numbers_of_steps_that_are_too_long_are_told_as_people_do(opened, look):
    figure, _ = opened("account_steps", steps=30, rate=0.37)
    for x, y in product((-2.5, 2.5), repeat=2):
        figure, _ = opened("account_steps", steps=30, rate=0.37, start_x=x, start_y=y)
        assert "·" not in told(figure) and "too long" in told(figure)
        words = figure.locator(".si-panel svg text").all_text_contents()
        assert "drop of loss" in words and "rise of loss" not in words
        fallen = next(w for w in words if w.startswith("−") and "gradient" not in w)
        assert f"risen by {fallen[1:]}," in told(figure)


@ONCE
def test_a_path_has_one_word_for_what_a_weight_gets_and_one_sign_for_an_area(opened, look):
    figure, _ = opened("draw_a_path")
    for coupling in (-1.5, 0.0, 1.5):
        figure.locator("input[name=coupling]").fill(str(coupling))
        for shape in ("straight", "weight 1 first", "weight 2 first"):
            figure.get_by_role("button", name=shape).press("Enter")
            words, change = told(figure), bar(figure, "change")
            assert not re.search(r"\bshare|\bearn", figure.inner_text())
            above = shape == "weight 2 first"
            assert ("counts as negative" in words) == (above and coupling != 0)
            signs = {t for t in drawn(figure) if t in "+−"}
            expected = set() if shape == "straight" or not coupling else {
                "−" if (coupling > 0) == above else "+"}
            assert signs == expected
            assert ("−" in change) == (signs == {"−"})
            assert change == bar(figure, "area")


@ONCE
def test_a_debt_is_told_where_the_target_is_reached(opened, look):
    figure, _ = opened("draw_a_path")
    handle = figure.locator(".si-handle >> nth=1")
    for _ in range(40):
        handle.press("ArrowDown")
        reached = figure.locator(".si-goal").get_attribute("data-reached") == "true"
        assert reached == ("in debt" in told(figure))


@ONCE
def test_the_critical_batch_size_is_a_place_of_the_slider(opened, look):
    figure, _ = opened("noise_meets_itself")
    marked = next(t for t in drawn(figure, 2) if t.startswith("critical"))
    assert marked == f"critical: {critical_batch(1 + 0.25**2, 0.25, 0.0):g}"
    figure.get_by_role("button", name=f"batch size: {marked.split()[1]}").press("Enter")
    assert "50 % of it is noise" in told(figure)
    assert figure.locator(".si-goal").get_attribute("data-reached") == "true"


@ONCE
def test_nothing_grows_one_times(opened, look):
    for name, others in (("noise_meets_itself", {"beta1": (0.0, 0.95)}),
                         ("quadratic_bowl", {"tilt": (0.0, 45.0)})):
        for key, values in others.items():
            for value in values:
                figure, _ = opened(name, **{key: value})
                for slider in figure.locator("input[type=range]").all():
                    for end in ("Home", "End"):
                        slider.press(end)
                        assert not re.search(r"\b(1 times|1 seeds|0 % of it)", told(figure))


@ONCE
def test_damping_acts_where_the_control_says(opened, look):
    found = []
    for damping in (0, 0.01, 0.1, 1):
        figure, _ = opened("more_starts", damping=damping)
        assert "pooled" not in figure.inner_text()
        assert figure.get_by_text("damping ξ, in the mean of quotients only").count() == 1
        found.append((bar(figure, "pooled"), float(bar(figure, "average"))))
    assert len({pooled for pooled, _ in found}) == 1
    assert np.all(np.diff([average for _, average in found]) < 0)


@BOTH
def test_who_guesses_first_does_not_see_how_the_methods_end(opened, look):
    figure, _ = opened("method_explorer")  # which unfolds what is folded
    table, fold = figure.locator("table.si-ends"), figure.locator("summary")
    assert table.is_visible()
    fold.press("Enter")
    assert not table.is_visible()
    assert figure.locator("details").evaluate("d => !d.hasAttribute('open')")
    look.reload()
    figure.locator(".si-fig").wait_for()
    assert not table.is_visible()
    assert "96.1 %" not in figure.inner_text()  # of SI at its best
    look.emulate_media(media="print")
    assert table.is_visible()


@BOTH
@pytest.mark.parametrize(("name", "moved", "values"), [
    ("quadratic_bowl", "start", range(0, 360, 15)), ("last_penalty", "tilt", range(0, 46, 9)),
    ("best_c", "angle1", range(0, 181, 30)), ("two_bowls", "time", np.linspace(0, 2, 9))])
def test_names_in_a_drawing_keep_apart(name, moved, values, opened, look):
    figure, _ = opened(name)
    for value in values:
        figure.locator(f"input[name={moved}]").evaluate(
            "(s, v) => { s.value = v; s.dispatchEvent(new Event('input')); }", float(value))
        boxes = [(t.text_content(), t.bounding_box()) for t in figure.locator(
            "svg:visible").first.locator(".si-words text").all()]
        for i, (one, a) in enumerate(boxes):
            for other, b in boxes[:i]:
                across = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
                down = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
                assert across < 2 or down < 4, (value, one, other)
