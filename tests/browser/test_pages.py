"""What readers do on the built pages, from disk in headless Chromium: fold, play, search."""

import re

import numpy as np
import pytest
from test_book import HTML

from si_tutorial import quadratic

pytestmark = pytest.mark.built


def test_the_panel_is_a_picture_and_a_sentence_where_there_is_no_kernel(look):
    look.goto((HTML / "book/synaptic_intelligence.html").as_uri())
    note = look.get_by_text("This panel trains a network")
    assert note.is_visible()
    article = look.locator("article")
    assert article.locator("select, .widget-slider, .jupyter-widgets").count() == 0


@pytest.mark.parametrize("fold", ["div.solution.dropdown", "div.hint.dropdown"])
def test_a_solution_and_a_hint_open(look, fold):
    look.goto((HTML / "book/synaptic_intelligence.html").as_uri())
    folded = look.locator(fold).first
    inside = folded.locator("p:not(.admonition-title)").first
    assert not inside.is_visible()
    folded.locator("button, .toggle-button").first.click()
    inside.wait_for(state="visible")


@pytest.mark.parametrize(("answer", "shown"), [
    (".si-answer", ".si-quiz-said"), ("div.solution.dropdown", "div.solution.dropdown"),
    ("div.hint.dropdown", "div.hint.dropdown")])
def test_a_search_hit_inside_a_folded_answer_opens_it(look, answer, shown):
    address = (HTML / "book/synaptic_intelligence.html").as_uri()
    look.goto(address)
    text = look.locator(f"{answer} p:not(.admonition-title)").first.text_content()
    word = max(re.findall(r"[a-z]+", text), key=len)
    look.goto(f"{address}?highlight={word}")  # the search leaves the word in the storage
    hit = look.locator(f"{shown} span.highlighted").first
    hit.wait_for(state="visible")
    assert hit.inner_text().lower() == word
    look.goto(address)
    look.wait_for_timeout(200)
    assert look.locator("span.highlighted").count() == 0  # once, not for ever
    assert look.locator(f"{shown} p:not(.admonition-title):visible").count() == 0


def bowl_numbers(look):
    """What the figure should show, by the package, for the settings its sliders stand at."""
    figure = look.locator("[data-figure=quadratic_bowl]")
    value = {name: float(figure.locator(f"input[name={name}]").input_value())
             for name in ("curvature", "tilt", "start", "log_damping")}
    tilt, start = np.radians([value["tilt"], value["start"]])
    axes = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    hessian = axes @ np.diag([value["curvature"], 1]) @ axes.T
    offset = 2 * np.array([np.cos(start), np.sin(start)])
    return {"share": quadratic.path_integral(hessian, offset),
            "importance": quadratic.importance(hessian, offset, 10 ** value["log_damping"]),
            "half": np.diag(hessian) / 2}


def test_the_bowl_shows_what_the_package_computes_and_follows_keys_and_pointer(look):
    look.goto((HTML / "book/quadratic_case.html").as_uri())
    figure = look.locator("[data-figure=quadratic_bowl]")
    figure.scroll_into_view_if_needed()
    figure.locator("svg").first.wait_for()
    figure.locator("summary", has_text="The numbers behind it").click()

    def shown():
        found = bowl_numbers(look)
        for what, expected in found.items():
            cells = figure.locator(f"td[data-what^={what}]").all_inner_texts()
            np.testing.assert_allclose([float(c) for c in cells], expected, atol=6e-4, rtol=1e-3)
        return found["share"]

    seen = [shown()]
    for name in ("curvature", "tilt", "start", "log_damping"):
        figure.locator(f"input[name={name}]").focus()
        for _ in range(3):
            look.keyboard.press("ArrowRight")
        seen.append(shown())
    assert not np.allclose(seen[0], seen[-1])

    figure.locator(".si-grip").scroll_into_view_if_needed()
    box = figure.locator(".si-grip").bounding_box()
    middle = figure.locator(".si-inside").bounding_box()
    look.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    look.mouse.down()
    look.mouse.move(middle["x"] + middle["width"] * 0.8, middle["y"] + middle["height"] / 2)
    look.mouse.up()
    assert figure.locator("input[name=start]").input_value() == "0"
    shown()
    assert "The account of weight 1 is" in figure.locator("svg").first.get_attribute("aria-label")
    assert look.errors == []


def test_the_digits_on_which_the_maps_differ_most_are_found_by_keyboard(look):
    look.goto((HTML / "book/importance_measures.html").as_uri())
    figure = look.locator("[data-figure=flipbook]")
    goal, found = figure.locator(".si-goal"), {}
    assert goal.get_attribute("data-reached") == "false"  # before anything is pressed
    for pair in figure.locator("input[data-name=digits]").all():
        pair.press("Space")
        told = re.search(r"correlation of (\d\.\d\d)", figure.locator(".si-said").inner_text())
        found[float(told[1])] = goal.get_attribute("data-reached")
    assert found.pop(min(found)) == "true" and set(found.values()) == {"false"}
