"""python -m si_tutorial doctor: what this installation is, what is wrong, and what to do.

What the parts need is imported where it is used: the doctor must speak where PyTorch does not load.
"""

import importlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CURVATURES = (1.0, 2.0)       # H_ii of the self-test's loss ½ Σ H_ii (θ_i − optimum)²
START, RATE, STEPS = 1.0, 1e-2, 600
TOLERANCE = 2 * RATE * max(CURVATURES)  # steps of finite size miss gradient flow by ηH/2


class Wrong(NamedTuple):
    """Something that does not work, and the way to repair it."""

    what: str
    remedy: str


def examine() -> int:
    """Print the report; returns the exit status, 1 if anything is wrong."""
    wrong: list[Wrong] = []
    for part in (versions, data, hardware, self_test):
        print(f"{part.__name__.replace('_', '-').capitalize()}:")
        for finding in _survive(part, wrong):
            if isinstance(finding, Wrong):
                wrong.append(finding)
                finding = f"WRONG, see {len(wrong)} below"
            print(f"  {_without_name(finding)}", flush=True)
    print(f"\nWrong: {len(wrong)}" if wrong else "\nNothing is wrong.")
    for number, (what, remedy) in enumerate(wrong, start=1):
        print(_without_name(f"  {number}. {what}\n     What to do: {remedy}"))
    return 1 if wrong else 0


def versions() -> Iterator[str | Wrong]:
    """The interpreter, the system, and every package that si-tutorial depends on."""
    yield f"Python {platform.python_version()} on {platform.platform()}"
    try:
        metadata = importlib.metadata.metadata("si-tutorial")
        requires = importlib.metadata.requires("si-tutorial") or []
    except importlib.metadata.PackageNotFoundError:
        yield Wrong("si-tutorial is not installed; its files are only lying in this folder.",
                    "run `pip install -e .` in the repository's folder.")
        return
    yield f"si-tutorial {metadata['Version']}{_commit()}"
    yield from _requirements(requires, metadata["Requires-Python"])
    for name in ("torch", "torchvision"):  # a pair that does not fit shows only when it is loaded
        try:
            importlib.import_module(name)
        except Exception as why:  # a broken library raises what it likes
            yield Wrong(f"{name} cannot be imported ({type(why).__name__}: {why}).",
                        "install torch and torchvision anew, in one command, so that they fit: "
                        "`pip install --force-reinstall torch torchvision`.")
            return


def data() -> Iterator[str | Wrong]:
    """The data sets' files: verified, missing or damaged. Downloads nothing."""
    from si_tutorial import datasets

    yield f"folder {datasets.folder()}"
    for name in datasets.KNOWN:
        file = datasets.folder() / f"{name}.npz"
        if not file.exists():
            yield (f"{name}: missing; `python -m si_tutorial data {name}` downloads it "
                   f"({datasets.SIZES[name]})")
            continue
        try:
            datasets.read(name, file)
            yield f"{name}: complete, verified"
        except datasets.DatasetError as why:
            what, _, remedy = str(why).rpartition(" Delete it ")
            yield Wrong(what, f"delete it {remedy}")


def hardware() -> Iterator[str | Wrong]:
    """Processor, memory and accelerators, as PyTorch would use them."""
    import torch

    from si_tutorial.experiments.provenance import processor

    yield f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads for PyTorch"
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        bytes_ = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        yield f"{bytes_ / 2**30:.1f} GiB of memory"
    found = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    found += ["mps"] if torch.backends.mps.is_available() else []
    yield f"accelerators: {', '.join(found) or 'none (none is needed)'}"


def self_test() -> Iterator[str | Wrong]:
    """SI on a quadratic, where theory says what must come out."""
    started = time.perf_counter()
    failed = [text for text, got, expected in _laws()
              if not all(abs(g - e) <= TOLERANCE * e for g, e in zip(got, expected, strict=True))]
    if failed:
        yield Wrong(f"SI fails its self-test: {'; '.join(failed)}.",
                    "if si_tutorial has been changed, `make unit` shows where; if not, PyTorch "
                    "does not call the optimizer's step hooks as it used to: please report this, "
                    "with all of this output.")
    else:
        yield (f"passed in {time.perf_counter() - started:.1f} s: on a quadratic loss, SI gives "
               "Σω = drop of the loss and Ω = ½H, and a second task ends half-way")


def _laws() -> list[tuple[str, list[float], list[float]]]:
    """What was found, in words; its values; and the values that theory gives.

    The first task's optimum lies at 0, the second's at −START. With c = 1 the penalty is the first
    task's loss, so that both pull equally, and θ ends half-way.
    """
    import torch

    from si_tutorial.importance import SynapticIntelligence

    network = torch.nn.Linear(len(CURVATURES), 1, bias=False, dtype=torch.float64)
    theta, h = network.weight, torch.tensor(CURVATURES, dtype=torch.float64)
    torch.nn.init.constant_(theta, START)
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    si = SynapticIntelligence(network, strength=1.0, damping=0.0).attach(optimizer)
    for optimum in (0.0, -START):
        for _ in range(STEPS):
            optimizer.zero_grad()
            (0.5 * h * (theta - optimum) ** 2).sum().backward()
            optimizer.step()
        if optimum == 0.0:
            omega = si.path_integral["weight"].sum().item()
            drop = (0.5 * h * (START**2 - theta.detach()**2)).sum().item()
            si.consolidate()
            importance = si.importance["weight"].flatten().tolist()
    ends = [-value for value in theta.flatten().tolist()]
    return [(f"Σω = {omega:.4g}, the loss fell by {drop:.4g}", [omega], [drop]),
            (f"Ω = {importance}, ½H = {(h / 2).tolist()}", importance, (h / 2).tolist()),
            (f"after two tasks −θ = {ends}, expected {START / 2}", ends, [START / 2] * len(ends))]


def _requirements(requires: list[str], python: str) -> Iterator[str | Wrong]:
    """The requirements in the installed metadata, without the extras, against what is there."""
    from packaging.requirements import Requirement

    if not Requirement(f"python{python}").specifier.contains(platform.python_version(), True):
        yield Wrong(f"Python is {platform.python_version()}, but {python} is needed.",
                    "make an environment with a newer one.")
    needs = [Requirement(line) for line in requires]
    for need in needs:
        if not _belongs(need, ""):
            continue
        version = _version(need.name)
        if version is None:
            yield Wrong(f"{need.name} is not installed.", f"`pip install \"{need}\"`.")
        elif need.specifier.contains(version, prereleases=True):
            yield f"{need.name} {version}"
        else:
            yield Wrong(f"{need.name} is {version}, but {need.specifier} is needed.",
                        f"`pip install --upgrade \"{need}\"`.")
    for extra in ("notebooks", "book"):  # not needed by the package itself, so never wrong
        there = [f"{need.name} {version}" + ("" if need.specifier.contains(version, True) else
                                             f" ({need.specifier} was tried)")
                 if (version := _version(need.name)) else f"{need.name} missing"
                 for need in needs if _belongs(need, extra) and not _belongs(need, "")]
        if there:
            yield f"for the {extra}: {', '.join(there)}"


def _belongs(need, extra: str) -> bool:
    """Whether a requirement holds for the package with this extra ("": without any)."""
    return need.marker is None or need.marker.evaluate({"extra": extra})


def _version(package: str) -> str | None:
    """The installed version, if there is one."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    """The commit of the source tree, in words, if there is one to tell."""
    try:
        from si_tutorial.experiments.provenance import commit
        return f", commit {commit()}" if commit() else ", installed without its repository"
    except Exception:  # provenance needs PyTorch, and what does not load raises what it likes
        return ""


def _survive(part, wrong: list[Wrong]) -> Iterator[str | Wrong]:
    """What a part finds; if it breaks down, that is a finding too, unless others explain it."""
    try:
        yield from part()
    except Exception as why:
        if wrong:
            yield "not examined, because of what is wrong above"
        elif isinstance(why, ModuleNotFoundError):
            package = str(why.name).partition(".")[0]
            yield Wrong(f"{package} is not installed.", f"`pip install {package}`.")
        else:
            yield Wrong(f"examining the {part.__name__} stopped with {type(why).__name__}: {why}.",
                        "please report this, with all of this output.")


def _without_name(text: str) -> str:
    """The text without the home folder, whose name is often a person's."""
    home = Path.home()
    return text if home == home.parent else text.replace(str(home), "~")
