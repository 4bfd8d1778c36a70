"""Which figures a store gives: those of settings that can be told apart, under names for files."""

import json

import pytest

from si_tutorial.__main__ import main
from si_tutorial.experiments import plots, protocols, report, store

TINY = protocols.SPLIT.replace(tasks=2)


def groups(method, strengths):
    """Made-up lines of one method, one for each strength, as groups."""
    return report.by_setting(
        json.loads(json.dumps(protocols.with_method(TINY, method, c).fields))
        | {"accuracy": [[0.9, 0.5], [0.8, 0.9]]} for c in strengths)


@pytest.mark.parametrize(("strengths", "drawn"), [
    ((0.1, 1.0), []), ((0.1, 1.0, 10.0), ["SI"]), ((0.0, 0.1, 1.0), [])])
def test_a_curve_along_a_setting_has_three_values_that_a_logarithm_can_show(strengths, drawn):
    found = dict(plots._along("strength", groups("SI", strengths)))
    assert list(found) == drawn
    for table in found.values():
        assert sorted(table["strength"]) == sorted(strengths)


def test_what_is_tuned_is_shown_as_tuned_and_the_rest_while_it_is_little():
    few = groups("SI", [2.0**k for k in range(plots.FEW)])
    assert len(dict(plots._named(few, {}))) == plots.FEW
    assert [name for name, _ in plots._named(few, {"SI": 4.0})] == ["SI"]
    (group,) = dict(plots._named(few, {"SI": 4.0})).values()
    assert [record["strength"] for record in group] == [4.0]
    assert not list(plots._named(groups("SI", [2.0**k for k in range(plots.FEW + 1)]), {}))


@pytest.mark.parametrize("name", ["../../x", "a b", "c = 1, ξ = 0.1", "x/y\\z", "<b>"])
def test_a_name_is_a_part_of_a_file_s_name_and_no_path(name):
    assert not set(plots._plain(name)) & set("/\\<>= ,")


@pytest.mark.parametrize("name", [name for name in protocols.EXPERIMENTS if store.published(name)])
def test_the_settings_of_a_published_store_have_names_of_their_own(name):
    records = [record for record in store.published(name) if record["accuracy"]]
    for scenario in {record["scenario"] for record in records}:
        there = [record for record in records if record["scenario"] == scenario]
        base = protocols.in_scenario(protocols.EXPERIMENTS[name][0], scenario)
        found = [label for label, _ in plots._named(
            report.by_setting(record for record in there if not record["held_out"]),
            protocols.tuned(base, there))]
        assert len(set(found)) == len(found) > 0
        assert any(label.startswith("fine-tuning") for label in found)


def test_a_published_store_is_drawn(tmp_path, capsys):
    assert main(["plot", "permuted-mnist", "--to", str(tmp_path), "--format", "png"]) == 0
    files = capsys.readouterr().out.splitlines()
    assert {f"permuted-mnist-domain-{name}.png" for name in
            ("seen", "runs", "matrix-fine-tuning", "matrix-SI")} == {
        file.rpartition("/")[2] for file in files}
