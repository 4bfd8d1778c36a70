"""The paper's experiments by name: which runs each consists of.

A protocol is a function from the records that are there to the runs that should be: first every
method's tuning, then, once a method is tuned, its reported runs. Nothing is chosen by hand.
"""

from collections.abc import Callable, Iterable, Sequence

from si_tutorial.experiments import store
from si_tutorial.experiments.checks import SettingsError
from si_tutorial.experiments.settings import (
    CONTROLS,
    DAMPED,
    METHODS,
    MLP,
    PENALISED,
    SCENARIOS,
    UNPENALISED,
    ConvNet,
    Data,
    Method,
    Run,
    Training,
)

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
STRENGTHS["cifar"] = {
    "L2": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    "EWC": (1.0, 10.0, 100.0, 1e3, 1e4),
    "online EWC": (1.0, 10.0, 100.0, 1e3, 1e4),
    "MAS": (1e-3, 1e-2, 1e-1, 1.0, 10.0),
    "SI": (1e-3, 1e-2, 1e-1, 1.0, 10.0),
}
# of networks trained on one task alone, to see what is overfitting; over 60 epochs of 20 steps with
# a learning rate of 1e-3, weights shrink by 11, 30 and 70 % if nothing holds them
WEIGHT_DECAYS = (0.1, 0.3, 1.0)
# SI's own curves, wide enough to fail on both sides
CURVE = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 1e2, 1e3, 1e4)
DAMPINGS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
TUNING_SEEDS = (1000, 1001)  # never reported
FINER = 1.8                  # tuning's second round, between the factors of ten of its first
HELD_OUT = 10_000            # training images that tuning is scored on, in place of the test set

# the authors' settings (Z17, sections 4.1 and 4.2, and their code)
SPLIT = Run(experiment="split-mnist", seed=0,
            data=Data(sequence="split", scenario="task", tasks=5),
            network=MLP(hidden=(256, 256), head_weights="zero"),
            training=Training(epochs=10, batch_size=64, reset_optimizer=True),
            method=Method(name="fine-tuning"))
PERMUTED = Run(experiment="permuted-mnist", seed=0,
               data=Data(sequence="permuted", scenario="domain", tasks=10),
               network=MLP(hidden=(2000, 2000), head_weights="random"),
               training=Training(epochs=20, batch_size=256, reset_optimizer=False),
               method=Method(name="fine-tuning"))
# Z17, section 4.3: CIFAR-10, then five times the next ten classes of CIFAR-100
CIFAR = Run(experiment="cifar", seed=0,
            data=Data(name="cifar", sequence="cifar", scenario="task", tasks=6),
            network=ConvNet(head_weights="zero"),
            training=Training(epochs=60, batch_size=256, reset_optimizer=True,
                              precision="bfloat16"),
            method=Method(name="fine-tuning"), curves=True)
AUTHORS = {"split": {"strength": 1.0, "damping": 1e-3},
           "permuted": {"strength": 0.1, "damping": 0.1},
           "cifar": {"strength": 0.01, "damping": 1e-3}}
# the same ten tasks with a smaller network and fewer epochs, for all methods and more seeds
SMALL = PERMUTED.replace(experiment="permuted-mnist-small", hidden=(100, 100), epochs=3)
# the same six tasks with a tenth of the epochs, for all methods
SHORT = CIFAR.replace(experiment="cifar-short", epochs=6)


def in_scenario(base: Run, scenario: str) -> Run:
    """`base` in another scenario; heads start at zero where each task has its own, as in Z17."""
    return base.replace(scenario=scenario, head_weights="zero" if scenario == "task" else "random")


def with_method(base: Run, method: str, strength: float | None = None,
                damping: float | None = None) -> Run:
    """`base` with another method; SI's damping is the authors' unless another is given."""
    if method in DAMPED and damping is None:
        damping = AUTHORS[base.data.sequence]["damping"]
    return base.replace(method=method, strength=strength, damping=damping)


def authors(base: Run) -> Run:
    """SI with the authors' strength and damping."""
    return base.replace(method="SI", **AUTHORS[base.data.sequence])


def grid(bases: Iterable[Run], methods: Iterable[str], strengths: Sequence[float] = (),
         dampings: Sequence[float] = (), count: int = 1) -> list[Run]:
    """Every combination, from the seeds 0 to `count` − 1.

    Without `strengths`, each method has its five, and one of one's own has none; without
    `dampings`, SI has the authors'.
    """
    def values(base, method):
        if method in UNPENALISED:
            return (None,)
        if not strengths and method not in PENALISED + CONTROLS:
            raise SettingsError(f"{method} has no strengths of its own: name some with --strength")
        return strengths or STRENGTHS[base.data.sequence]["SI" if method in DAMPED else method]

    return [run for base in bases for method in methods for strength in values(base, method)
            for damping in (dampings or (None,) if takes_damping(method) else (None,))
            for run in seeds(with_method(base, method, strength, damping), count)]


def takes_damping(method: str) -> bool:
    """Whether it has one, as a measure of one's own may."""
    return method in DAMPED or method not in METHODS + CONTROLS


def seeds(base: Run, count: int) -> list[Run]:
    """The same run from the seeds 0 to `count` − 1."""
    return [base.replace(seed=seed) for seed in range(count)]


def tuning(base: Run, records: Iterable[dict] = ()) -> list[Run]:
    """Every method's strengths on held-out training images, each with the tuning seeds.

    A first round tries the method's five, a second one, once the first is among the records, four
    more around the best of them.
    """
    first = tuned(base, records, rounds=1)
    return [run for method, strengths in STRENGTHS[base.data.sequence].items()
            for strength in (*strengths, *(finer(first[method]) if method in first else ()))
            for run in _tried(base, method, strength)]


def tuned(base: Run, records: Iterable[dict], rounds: int = 2) -> dict[str, float]:
    """Method → the strength with the best mean accuracy in tuning; only methods that are tuned.

    With `rounds=1`, the best of the first round alone.
    """
    done = {Run.of(record): record for record in records}

    def best(method, strengths):
        runs = [run for strength in strengths for run in _tried(base, method, strength)]
        if not all(run in done for run in runs):
            return None
        scores = store.runs([done[run] for run in runs]).fillna({"ACC": 0})
        return float(scores.groupby("strength")["ACC"].mean().idxmax())

    found = {}
    for method, strengths in STRENGTHS[base.data.sequence].items():
        strength = best(method, strengths)
        if strength is not None and rounds == 2:
            strength = best(method, (*strengths, *finer(strength)))
        if strength is not None:
            found[method] = strength
    return found


def without_second_round(base: Run, records: Iterable[dict]) -> list[dict]:
    """The records of `base`'s experiment, less those of tuning's second round."""
    first = {run for scenario in SCENARIOS for run in tuning(in_scenario(base, scenario))}
    return [record for record in records if not record["held_out"] or Run.of(record) in first]


def finer(strength: float) -> tuple[float, ...]:
    """Two strengths below and two above, a factor of `FINER` apart, in two digits."""
    return tuple(float(f"{strength * FINER**power:.2g}") for power in (-2, -1, 1, 2))


def _tried(base, method, strength):
    return [with_method(base, method, strength).replace(seed=seed, held_out=HELD_OUT)
            for seed in TUNING_SEEDS]


def split_mnist(records: list[dict]) -> list[Run]:
    """Z17, section 4.1, and the same tasks in the two scenarios with one head for all."""
    runs = []
    for scenario, count in (("task", 10), ("domain", 3), ("class", 3)):
        base = in_scenario(SPLIT, scenario)
        runs += tuning(base, records) + reported(base, records, count)
    for base in (SPLIT, authors(SPLIT)):
        runs += seeds(base, 10) + seeds(base.replace(head_weights="random"), 10)
    runs += grid([SPLIT], ["SI"], CURVE, count=3)
    runs += grid([SPLIT], ["SI"], [AUTHORS["split"]["strength"]], DAMPINGS, count=3)
    return list(dict.fromkeys(runs))


def permuted_mnist(records: list[dict]) -> list[Run]:
    """Z17, section 4.2, at its size: SI and fine-tuning, one seed as there."""
    return [run.replace(correlate=True) for run in (authors(PERMUTED), PERMUTED)]


def permuted_mnist_small(records: list[dict]) -> list[Run]:
    """The ten tasks of permuted MNIST with 784-100-100 and 3 epochs: every method, three seeds."""
    runs = tuning(SMALL, records) + reported(SMALL, records, 3) + seeds(authors(SMALL), 3)
    runs += seeds(SMALL.replace(dropout=0.5), 3)
    runs += grid([SMALL], ["SI"], dampings=(1e-1, 1e-2, 1e-3))
    for run in reported(SMALL, records, 3):  # once more, with the tasks' accounts compared
        runs += [run.replace(correlate=True)] if run.method.name in ("fine-tuning", "SI") else []
    return list(dict.fromkeys(runs))


# by the names they have in the chapter, from seed 0
CIFAR_STRATEGIES = {"fine-tuning": CIFAR.replace(correlate=True),
                    "SI": authors(CIFAR).replace(correlate=True),
                    "from scratch": CIFAR.replace(schedule="alone")}
CIFAR_CONTROLS = {
    "CIFAR-10, then one task": CIFAR.replace(schedule="first, then one"),
    "CIFAR-10, then heads": CIFAR.replace(schedule="first, then heads"),
    "SI, shuffled": authors(CIFAR).replace(method="shuffled SI"),
    **{f"from scratch, decay {decay:g}": CIFAR.replace(schedule="alone", weight_decay=decay)
       for decay in WEIGHT_DECAYS},
    **{f"L2, c = {strength:g}": with_method(CIFAR, "L2", strength)
       for strength in STRENGTHS["cifar"]["L2"][1:4]},
    # Adam as in the authors' code
    "fine-tuning, steps counted on": CIFAR.replace(reset_optimizer="moments"),
    "SI, steps counted on": authors(CIFAR).replace(reset_optimizer="moments")}
CIFAR_STRONGER = {"SI, c = 0.1": authors(CIFAR).replace(strength=0.1, correlate=True)}


def cifar(records: list[dict]) -> list[Run]:
    """Z17, section 4.3, at its size: does remembering help learning? With its controls."""
    def each(named, *numbers):
        return [run.replace(seed=seed) for seed in numbers for run in named.values()]

    precisions = [CIFAR.replace(tasks=1, start=1, precision=precision, seed=seed)
                  for seed in range(3) for precision in ("bfloat16", "float32")]
    return [*each(CIFAR_STRATEGIES, 0), *each(CIFAR_CONTROLS, 0),
            *each(CIFAR_STRATEGIES, 1, 2, 3, 4), *each(CIFAR_STRONGER, *range(5)), *precisions,
            *each(CIFAR_CONTROLS, 1, 2, 3, 4)]


def cifar_short(records: list[dict]) -> list[Run]:
    """The tasks of the experiment cifar with a tenth of its epochs: every method, three seeds."""
    return tuning(SHORT, records) + reported(SHORT, records, 3)


def reported(base: Run, records: list[dict], count: int) -> list[Run]:
    """Every method at its tuned strength, and the two that need none, from `count` seeds each.

    Also at the strength that tuning's first round chose, to see what the second one changed.
    """
    runs = (run for rounds in (2, 1)
            for run in at_strengths(base, tuned(base, records, rounds), count))
    return list(dict.fromkeys(runs))


def at_strengths(base: Run, strengths: dict[str, float], count: int) -> list[Run]:
    """Each method at its strength, and the two that need none, from `count` seeds each."""
    return [run for method in METHODS if method in strengths or method not in PENALISED
            for run in seeds(with_method(base, method, strengths.get(method)), count)]


# name → the run that its other runs differ from, and its protocol
EXPERIMENTS: dict[str, tuple[Run, Callable[[list[dict]], list[Run]]]] = {
    base.experiment: (base, protocol) for base, protocol in (
        (SPLIT, split_mnist), (PERMUTED, permuted_mnist), (SMALL, permuted_mnist_small),
        (CIFAR, cifar), (SHORT, cifar_short))}
