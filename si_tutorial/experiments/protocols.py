"""The paper's experiments by name: which runs each consists of.

A protocol is a function from the records that are there to the runs that should be: first every
method's tuning, then, once a method is tuned, its reported runs. Nothing is chosen by hand.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from si_tutorial.experiments import store
from si_tutorial.experiments.runs import METHODS, PENALTIES, Run

# the same number for each method, a factor of ten apart, around what is good with one head per task
# (split) and one for all (permuted); from zero heads the Fisher information is far smaller
STRENGTHS = {"split": {
    "L2": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    "EWC": (1e4, 1e5, 1e6, 1e7, 1e8),
    "online EWC": (1e4, 1e5, 1e6, 1e7, 1e8),
    "MAS": (1e-3, 1e-2, 1e-1, 1.0, 10.0),
    "SI": (1e-2, 1e-1, 1.0, 10.0, 100.0),
}}
STRENGTHS["permuted"] = STRENGTHS["split"] | {
    "EWC": (1.0, 10.0, 100.0, 1e3, 1e4),
    "online EWC": (1.0, 10.0, 100.0, 1e3, 1e4),
}
# SI's own curves, wide enough to fail on both sides
CURVE = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 1e2, 1e3, 1e4)
DAMPINGS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
TUNING_SEEDS = (1000, 1001)  # never reported
HELD_OUT = 10_000            # training images that tuning is scored on, in place of the test set

# the authors' settings (Z17, sections 4.1 and 4.2, and their code)
SPLIT = Run(experiment="split-mnist", sequence="split", scenario="task", method="fine-tuning",
            seed=0, tasks=5, hidden=(256, 256), head_weights="zero", epochs=10, batch_size=64,
            reset_optimizer=True)
PERMUTED = Run(experiment="permuted-mnist", sequence="permuted", scenario="domain",
               method="fine-tuning", seed=0, tasks=10, hidden=(2000, 2000), head_weights="random",
               epochs=20, batch_size=256, reset_optimizer=False)
AUTHORS = {"split": {"strength": 1.0, "damping": 1e-3},
           "permuted": {"strength": 0.1, "damping": 0.1}}
# the same ten tasks with a smaller network and fewer epochs, for all methods and more seeds
SMALL = replace(PERMUTED, experiment="permuted-mnist-small", hidden=(100, 100), epochs=3)


def in_scenario(base: Run, scenario: str) -> Run:
    """`base` in another scenario; heads start at zero where each task has its own, as in Z17."""
    return replace(base, scenario=scenario, head_weights="zero" if scenario == "task" else "random")


def with_method(base: Run, method: str, strength: float | None = None,
                damping: float | None = None) -> Run:
    """`base` with another method; SI's damping is the authors' unless another is given."""
    if method == "SI" and damping is None:
        damping = AUTHORS[base.sequence]["damping"]
    return replace(base, method=method, strength=strength, damping=damping)


def authors(base: Run) -> Run:
    """SI with the authors' strength and damping."""
    return replace(base, method="SI", **AUTHORS[base.sequence])


def grid(bases: Iterable[Run], methods: Iterable[str], strengths: Sequence[float] = (),
         dampings: Sequence[float] = (), count: int = 1) -> list[Run]:
    """Every combination, from the seeds 0 to `count` − 1.

    Without `strengths`, each method has its five; without `dampings`, SI has the authors'.
    """
    def values(base, method):
        if method not in PENALTIES:
            return (None,)
        return strengths or STRENGTHS[base.sequence][method]

    return [run for base in bases for method in methods for strength in values(base, method)
            for damping in ((dampings or (None,)) if method == "SI" else (None,))
            for run in seeds(with_method(base, method, strength, damping), count)]


def seeds(base: Run, count: int) -> list[Run]:
    """The same run from the seeds 0 to `count` − 1."""
    return [replace(base, seed=seed) for seed in range(count)]


def tuning(base: Run) -> list[Run]:
    """Every method's strengths on held-out training images, each with the tuning seeds."""
    return [replace(with_method(base, method, strength), seed=seed, held_out=HELD_OUT)
            for method, strengths in STRENGTHS[base.sequence].items() for strength in strengths
            for seed in TUNING_SEEDS]


def tuned(base: Run, records: Iterable[dict]) -> dict[str, float]:
    """Method → the strength with the best mean accuracy in tuning; only methods that are tuned."""
    done = {Run.of(record): record for record in records}
    best = {}
    for method in PENALTIES:
        wanted = [run for run in tuning(base) if run.method == method]
        if all(run in done for run in wanted):
            scores = store.runs([done[run] for run in wanted]).fillna({"ACC": 0})
            best[method] = float(scores.groupby("strength")["ACC"].mean().idxmax())
    return best


def split_mnist(records: list[dict]) -> list[Run]:
    """Z17, section 4.1, and the same tasks in the two scenarios with one head for all."""
    runs = []
    for scenario, count in (("task", 10), ("domain", 3), ("class", 3)):
        base = in_scenario(SPLIT, scenario)
        runs += tuning(base) + reported(base, records, count)
    for base in (SPLIT, authors(SPLIT)):
        runs += seeds(base, 10) + seeds(replace(base, head_weights="random"), 10)
    runs += grid([SPLIT], ["SI"], CURVE, count=3)
    runs += grid([SPLIT], ["SI"], [AUTHORS["split"]["strength"]], DAMPINGS, count=3)
    return list(dict.fromkeys(runs))


def permuted_mnist(records: list[dict]) -> list[Run]:
    """Z17, section 4.2, at its size: SI and fine-tuning, one seed as there."""
    return [replace(run, correlate=True) for run in (authors(PERMUTED), PERMUTED)]


def permuted_mnist_small(records: list[dict]) -> list[Run]:
    """The ten tasks of permuted MNIST with 784-100-100 and 3 epochs: every method, three seeds."""
    runs = tuning(SMALL) + reported(SMALL, records, 3) + seeds(authors(SMALL), 3)
    runs += seeds(replace(SMALL, dropout=0.5), 3)
    runs += grid([SMALL], ["SI"], dampings=(1e-1, 1e-2, 1e-3))
    for run in reported(SMALL, records, 3):  # once more, with the tasks' accounts compared
        runs += [replace(run, correlate=True)] if run.method in ("fine-tuning", "SI") else []
    return list(dict.fromkeys(runs))


def reported(base: Run, records: list[dict], count: int) -> list[Run]:
    """Every method at its tuned strength, and the two that need none, from `count` seeds each."""
    strengths = {"fine-tuning": None, "joint": None, **tuned(base, records)}
    return [run for method in METHODS if method in strengths
            for run in seeds(with_method(base, method, strengths[method]), count)]


# name → the run that its other runs differ from, and its protocol
EXPERIMENTS: dict[str, tuple[Run, Callable[[list[dict]], list[Run]]]] = {
    base.experiment: (base, protocol) for base, protocol in (
        (SPLIT, split_mnist), (PERMUTED, permuted_mnist), (SMALL, permuted_mnist_small))}
