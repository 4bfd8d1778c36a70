"""The interactive figures, with a kernel (callbacks run in this process) and without one."""

import re

import pytest

from si_tutorial.explorables.quadratic_bowl import QuadraticBowl
from si_tutorial.explorables.training_panel import TrainingPanel
from si_tutorial.figures import Shown


def shown(text):
    return Shown("<svg></svg>", alt=f"a picture made for this test: {text}", caption=text)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def panel(calls):
    def train(method, strength, damping, progress):
        calls.append((method, strength, damping, panel.button.disabled))
        progress()
        progress()
        if strength > 100:
            raise FloatingPointError("the training loss has become nan")
        return shown(f"result {len(calls)}")

    panel = TrainingPanel(train, steps=2, still=shown("still"))
    return panel


def test_training_uses_the_settings_and_shows_the_result(panel, calls):
    panel.strength.value, panel.damping.value = 10.0, 0.1
    panel.button.click()
    assert calls == [("SI", 10.0, 0.1, True)]  # the button is out of use while training
    assert "result 1" in panel.result.value
    assert (panel.progress.value, panel.status.value) == (2, "done")
    assert not panel.button.disabled


def test_a_diverging_run_is_reported_and_the_panel_lives_on(panel):
    panel.strength.value = 1000.0
    panel.button.click()
    assert "nan" in panel.status.value and "still" in panel.result.value
    panel.strength.value = 1.0
    panel.button.click()
    assert "result 2" in panel.result.value and panel.progress.value == 2


def test_fine_tuning_has_no_strength(panel):
    panel.method.value = "fine-tuning"
    assert panel.strength.disabled and panel.damping.disabled
    panel.method.value = "SI"
    assert not panel.strength.disabled and not panel.damping.disabled


def test_a_page_without_a_kernel_gets_the_still_and_a_notebook_the_widget(panel):
    data, _ = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert TrainingPanel.WITHOUT_KERNEL in data["text/html"] and "<svg" in data["text/html"]
    assert "<input" not in data["text/html"] and "<button" not in data["text/html"]


def test_the_bowl_is_live_in_a_notebook_and_complete_on_a_page():
    data, _ = QuadraticBowl(tilt=45.0)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    page = data["text/html"]
    assert '"tilt": 45.0' in page
    outside = re.sub(r"http://www\.w3\.org/2000/svg", "", page)  # a name, nothing is fetched
    assert not re.search(r"https?://", outside)
    assert page.count("</script>") == 1  # the source cannot end the script early


def test_two_bowls_on_one_page_do_not_share_an_element():
    names = {re.search(r'id="([^"]+)"', QuadraticBowl().static())[1] for _ in range(2)}
    assert len(names) == 2
