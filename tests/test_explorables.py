"""The interactive figures, with a kernel (callbacks run in this process) and without one."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
import traitlets

from si_tutorial import explorables, figures
from si_tutorial.explorables.explorable import bundle
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
    assert '"tilt":45.0' in page
    outside = re.sub(r"http://www\.w3\.org/2000/svg", "", page)  # a name, nothing is fetched
    assert not re.search(r"https?://", outside)
    assert page.count("</script>") == 1  # the source cannot end the script early


def test_two_bowls_on_one_page_do_not_share_an_element():
    names = {re.search(r'id="([^"]+)"', QuadraticBowl().static())[1] for _ in range(2)}
    assert len(names) == 2


def test_the_state_of_a_figure_is_its_traits_and_bounds_are_kept():
    figure = QuadraticBowl(tilt=10.0)
    assert figure.state() == {"curvature": 8.0, "tilt": 10.0, "start": 45.0, "log_damping": -3.0}
    with pytest.raises(traitlets.TraitError):
        figure.curvature = 0.5


def test_a_module_takes_what_it_imports_along(tmp_path):
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/low.js").write_text('export const low = "50 % # \\n";\n')
    (tmp_path / "kit/high.js").write_text('import {\n  low } from "./low.js";\n'
                                          'export const high = [low, "⟂"];\n')
    (tmp_path / "top.js").write_text("// a remark\n/** Another,\n * of two lines. */\n"
                                     'import { high } from "./kit/high.js";\n'
                                     'export * from "./kit/low.js";\n'
                                     "  export const top = 'from \"./no.js\"';\n")
    text = bundle(tmp_path / "top.js")
    assert "remark" not in text and "two lines" not in text
    assert text.endswith("export const top = 'from \"./no.js\"';")  # a string is no import
    high, low = re.findall(r"""(?:import|export) .*? from 'data:text/javascript,(.*?)';""", text)
    assert unquote(low) == (tmp_path / "kit/low.js").read_text().rstrip("\n")
    assert f"data:text/javascript,{low}" in unquote(high)  # one address, so one module
    assert unquote(high).endswith('export const high = [low, "⟂"];')


def test_a_line_break_stays_where_it_ends_a_remark_or_words(tmp_path):
    lines = ["const a = 1; // one;", "const b = `two", "words`;", "f(a,", "b);", "x = a", "+ b;"]
    (tmp_path / "a.js").write_text("\n".join(lines))
    assert bundle(tmp_path / "a.js") == (
        "const a = 1; // one;\nconst b = `two\nwords`;f(a,b);x = a\n+ b;")


def test_a_circle_of_modules_is_refused_with_its_names(tmp_path):
    (tmp_path / "a.js").write_text('import "./b.js";\n')
    (tmp_path / "b.js").write_text('import "./a.js";\n')
    with pytest.raises(ValueError, match=r"a\.js imports b\.js imports a\.js"):
        bundle(tmp_path / "a.js")


def test_a_method_has_the_colour_that_it_has_in_the_figures():
    folder = Path(explorables.__file__).parent
    look, explorer = ((folder / name).read_text("utf-8")
                      for name in ("kit/look.js", "method_explorer.js"))
    hues = dict(re.findall(r"(--si-\w+): (#\w{6})", look.partition("html[data-theme")[0]))
    shown = re.search(r"const COLORS = \{(.*?)\}", explorer, re.DOTALL)[1]
    found = {(quoted or bare): hues[hue] for quoted, bare, hue in re.findall(
        r'(?:"([^"]+)"|(\w+)): "var\((--si-\w+)\)"', shown)}
    assert found == figures.COLORS
