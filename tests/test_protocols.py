"""The protocols: the same effort for every method, and nothing chosen by hand."""

import collections
import functools
import itertools
import random

import pytest

from si_tutorial.experiments import protocols, store
from si_tutorial.experiments.settings import METHODS, PENALISED, Run

EVERY = pytest.mark.parametrize("name", protocols.EXPERIMENTS)
TUNED = {"split-mnist": ("task", "domain", "class"), "permuted-mnist-small": ("domain",),
         "cifar-short": ("task",)}
TUNED_ONES = pytest.mark.parametrize("name", TUNED)


def record(run, score):
    """A made-up line of a store: two tasks with the mean accuracy `score`; None is a failed run."""
    return run.fields | {"accuracy": None if score is None else [[1.0, 0.5], [score, score]],
                          "failed": "became nan" if score is None else None}


def made_up(run):
    """A score that belongs to the run, and nothing else."""
    return record(run, random.Random(run.key).random())


@functools.cache
def followed(name, make=made_up):
    """Do what the protocol wants until it wants no more; the wanted runs after each round."""
    records, rounds = [], []
    for _ in range(5):
        rounds.append(protocols.EXPERIMENTS[name][1](records))
        missing = set(rounds[-1]) - {Run.of(r) for r in records}
        if not missing:
            return rounds, records
        records += [make(run) for run in sorted(missing, key=repr)]
    raise AssertionError("the protocol wants more and more")


# ----------------------------------------------------------------------------- what is wanted

@EVERY
@pytest.mark.parametrize("make", [made_up, functools.partial(record, score=None)],
                         ids=["some", "failed"])
def test_a_protocol_comes_to_an_end_and_takes_nothing_back(name, make):
    rounds, records = followed(name, make)
    for before, after in itertools.pairwise(rounds):
        assert set(before) <= set(after)
    assert protocols.EXPERIMENTS[name][1](records[::-1]) == rounds[-1]  # the order is no matter
    assert {Run.of(r) for r in records} == set(rounds[-1])


@EVERY
def test_nothing_is_wanted_twice_and_all_in_its_own_store(name):
    rounds, _ = followed(name)
    for wanted in rounds:
        assert len(wanted) == len(set(wanted)) == len({run.key for run in wanted})
        assert {run.experiment for run in wanted} == {name}


def place(run):
    return run.data.scenario, run.method.name


@TUNED_ONES
def test_every_method_has_the_same_number_of_tuning_runs_in_each_scenario(name):
    wanted = followed(name)[0][-1]
    tuning = [run for run in wanted if run.data.held_out]
    counts = collections.Counter((run.data.scenario, run.method.name) for run in tuning)
    # two seeds of nine strengths
    assert counts == {(scenario, method): 18 for scenario in TUNED[name] for method in PENALISED}
    for (_, method), group in itertools.groupby(
            sorted(tuning, key=place), key=place):
        first = protocols.STRENGTHS[wanted[0].data.sequence][method]
        tried = {run.method.strength for run in group}
        second = tried - set(first)
        assert len(first) == 5 and len(second) == 4 and tried > set(first)
        assert any(second == set(protocols.finer(strength)) for strength in first)


@EVERY
def test_tuning_sees_other_seeds_than_those_reported_and_never_the_test_set(name):
    wanted = followed(name)[0][-1]
    seeds = protocols.TUNING_SEEDS
    tuning = [run for run in wanted if run.seed in seeds]
    reported = [run for run in wanted if run.seed not in seeds]
    assert all(run.data.held_out > 0 for run in tuning)
    assert reported and all(run.data.held_out == 0 for run in reported)
    assert bool(tuning) == (name in TUNED)


@TUNED_ONES
def test_every_method_is_reported_from_the_same_seeds_at_one_strength(name):
    rounds, records = followed(name)
    base = protocols.EXPERIMENTS[name][0]
    for scenario in TUNED[name]:
        mine = protocols.in_scenario(base, scenario)
        best = protocols.tuned(mine, records)
        assert set(best) == set(PENALISED)
        for method in METHODS:
            at_best = [run for run in rounds[-1] if not run.data.held_out and run ==
                       protocols.with_method(mine, method, best.get(method)).replace(seed=run.seed)]
            count = 10 if (name, scenario) == ("split-mnist", "task") else 3
            assert [run.seed for run in at_best] == list(range(count))


def test_before_a_method_is_tuned_it_is_not_reported():
    base = protocols.SPLIT
    first = [made_up(run) for run in protocols.tuning(base)]
    both = first + [made_up(run) for run in set(protocols.tuning(base, first))
                    - {Run.of(record) for record in first}]
    for records, rounds in ((first, 1), (both, 2)):
        all_but_one = [record for record in records
                       if (record["method"], record["seed"]) != ("SI", 1001)]
        wanted = {run.method.name for run in protocols.reported(base, all_but_one, 3)}
        assert wanted == set(METHODS) - {"SI"}
        assert set(protocols.tuned(base, records, rounds)) == set(PENALISED)
    assert protocols.tuned(base, first) == {}  # the second round is still to come
    assert {run.method.name for run in protocols.reported(base, [], 3)} == {"fine-tuning", "joint"}


def test_the_authors_settings_are_among_the_runs():
    """Z17, sections 4.1 and 4.2, and the sizes of their networks."""
    split = followed("split-mnist")[0][-1]
    for heads in ("zero", "random"):
        for method, strength, damping in (("SI", 1.0, 1e-3), ("fine-tuning", None, None)):
            seeds = [run.seed for run in split if run == protocols.SPLIT.replace(
                method=method, strength=strength, damping=damping, head_weights=heads,
                seed=run.seed)]
            assert sorted(seeds) == list(range(10))
    si, plain = followed("permuted-mnist")[0][-1]
    assert si == protocols.PERMUTED.replace(
        method="SI", strength=0.1, damping=0.1, correlate=True, hidden=(2000, 2000), epochs=20,
        batch_size=256, tasks=10, reset_optimizer=False)
    assert plain == si.replace(method="fine-tuning", strength=None, damping=None)


# ------------------------------------------------------------------------------------- tuning

BASE = protocols.SPLIT


def tuning_records(method, scores, first=()):
    """Strength → the accuracies of its two seeds; of the first round, or of both after `first`."""
    return [record(run, scores[run.method.strength][protocols.TUNING_SEEDS.index(run.seed)])
            for run in protocols.tuning(BASE, first) if run.method.name == method]


@pytest.mark.parametrize("best", protocols.STRENGTHS["split"]["MAS"])
def test_tuning_picks_the_best_mean_wherever_it_lies(best):
    scores = {c: (0.9, 0.1) for c in protocols.STRENGTHS["split"]["MAS"]} | {best: (0.6, 0.5)}
    first = tuning_records("MAS", scores)
    assert protocols.tuned(BASE, first, rounds=1) == {"MAS": best}
    assert protocols.tuned(BASE, first) == {}
    for better in (best, *protocols.finer(best)):
        second = scores | {c: (0.4, 0.4) for c in protocols.finer(best)}
        second[better] = (0.7, 0.6) if better != best else second[best]
        assert protocols.tuned(BASE, tuning_records("MAS", second, first)) == {"MAS": better}


def test_the_second_round_lies_within_the_steps_of_the_first():
    assert protocols.finer(1.0) == (0.31, 0.56, 1.8, 3.2)
    for strengths in protocols.STRENGTHS["split"].values():
        for strength in strengths:
            tried = sorted((strength / 10, *protocols.finer(strength), strength, 10 * strength))
            factors = [b / a for a, b in itertools.pairwise(tried)]
            assert max(factors) < 3.3 and max(factors[1:-1]) < 1.83  # in the middle 1.8, rounded


def test_a_failed_run_counts_as_zero():
    low, _, _, _, high = strengths = protocols.STRENGTHS["split"]["L2"]
    scores = {c: (0.4, 0.4) for c in strengths} | {low: (0.5, 0.5), high: (0.99, None)}
    failing = scores | {high: (0.99, 0.1)}
    assert protocols.tuned(BASE, tuning_records("L2", scores), rounds=1) == {"L2": low}
    assert protocols.tuned(BASE, tuning_records("L2", failing), rounds=1) == {"L2": high}
    every = {c: (None, None) for c in strengths}
    assert protocols.tuned(BASE, tuning_records("L2", every), rounds=1)["L2"] in strengths


def test_tuning_looks_at_its_own_runs_alone():
    """Neither reported runs, nor another scenario's, nor another method's."""
    strengths = protocols.STRENGTHS["split"]["SI"]
    records = tuning_records("SI", {c: (0.1 * i, 0.1 * i) for i, c in enumerate(strengths)})
    other = [run.replace(strength=strengths[0]) for run in (
        *protocols.seeds(protocols.authors(BASE), 3), protocols.authors(BASE).replace(tasks=4),
        protocols.authors(BASE).replace(seed=1000, held_out=5),
        protocols.authors(BASE).replace(seed=1000, scenario="class", held_out=10_000))]
    assert protocols.tuned(BASE, records + [record(run, 1.0) for run in other], rounds=1) == {
        "SI": strengths[-1]}


# -------------------------------------------------------------------------------------- grids

def test_a_grid_is_every_combination_once():
    runs = protocols.grid([BASE, protocols.in_scenario(BASE, "class")], ["joint", "MAS", "SI"],
                          strengths=[1, 2], dampings=[0.1, 0.2, 0.3], count=2)
    assert len(runs) == len(set(runs)) == 2 * (1 + 2 + 2 * 3) * 2
    assert {run.seed for run in runs} == {0, 1}
    assert {(run.method.strength, run.method.damping) for run in runs
            if run.method.name == "SI"} == {
        (c, xi) for c in (1, 2) for xi in (0.1, 0.2, 0.3)}
    assert {run.method.damping for run in runs if run.method.name != "SI"} == {None}


def test_a_grid_without_strengths_takes_each_methods_own_and_the_authors_damping():
    for base in (BASE, protocols.PERMUTED, protocols.CIFAR):
        runs = protocols.grid([base], METHODS)
        assert {(run.method.name, run.method.strength) for run in runs} == {
            ("fine-tuning", None), ("joint", None),
            *((method, c) for method in PENALISED
              for c in protocols.STRENGTHS[base.data.sequence][method])}
        assert {run.method.damping for run in runs if run.method.name == "SI"} == {
            protocols.AUTHORS[base.data.sequence]["damping"]}


def test_cifar_is_the_authors_and_its_first_runs_are_those_that_the_chapter_needs_first():
    """Z17, section 4.3: CIFAR-10, then ten classes of CIFAR-100 five times, one head each."""
    wanted = protocols.cifar([])
    plain, si, alone = wanted[:3]
    assert (plain.data.tasks, plain.training.epochs, plain.training.batch_size,
            plain.network.name, plain.network.head_weights) == (6, 60, 256, "conv", "zero")
    assert plain.training.reset_optimizer
    assert si == plain.replace(method="SI", strength=0.01, damping=1e-3)
    assert alone == plain.replace(schedule="alone", correlate=False)
    assert wanted[3].training.schedule == "first, then one"
    strategies = collections.Counter(run.replace(seed=0) for run in wanted)
    assert {number for run, number in strategies.items() if run.data.tasks == 6} == {5}
    in_sequence = {run.first_task for run in wanted
                   if run.seed == 0 and run.data.start == run.training.weight_decay == 0}
    assert in_sequence == {plain.first_task}


@pytest.mark.parametrize(("scenario", "heads"), [
    ("task", "zero"), ("domain", "random"), ("class", "random")])
def test_heads_start_at_zero_only_where_each_task_has_its_own(scenario, heads):
    run = protocols.in_scenario(BASE, scenario)
    assert (run.data.scenario, run.network.head_weights) == (scenario, heads)
    assert run.replace(scenario="task", head_weights="zero") == BASE


@EVERY
def test_the_runs_of_an_experiment_are_told_apart_by_their_words(name):
    records = store.published(name)
    runs = {*protocols.EXPERIMENTS[name][1](records), *map(Run.of, records)}
    assert len({str(run) for run in runs}) == len(runs) > 0
    assert {str(run).partition(",")[0] for run in runs} == {name}
    assert all(len(str(run)) < 160 and "(" not in str(run) for run in runs)
