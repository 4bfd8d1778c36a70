"""Where and with what a result was made, in words that can be published."""

import functools
import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch

PACKAGES = ("si-tutorial", "torch", "numpy")


def provenance(device: str) -> dict:
    """The machine, its threads, versions, the commit and the day; nothing that names a person."""
    return {"device": _accelerator(device), "machine": processor(),
            "kind": kind(),
            "system": platform.system(), "threads": torch.get_num_threads(),
            "versions": versions(), "commit": commit(),
            "finished": datetime.now(UTC).date().isoformat()}


def versions() -> dict[str, str]:
    """The interpreter and the packages that a result's bits depend on."""
    return {"python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES}}


def processor() -> str:
    """The processor's name, as the system gives it."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def kind() -> str:
    """What decides which kernels run, and so how sums are rounded: one name has several kinds."""
    told = _cpuinfo()
    known = [f"{name} {told[name]}" for name in ("cpu family", "model", "stepping") if name in told]
    return ", ".join([*known, torch.backends.cpu.get_cpu_capability()])


@functools.cache
def commit() -> str | None:
    """The commit of this package's own source tree, "+" if it has changes; None if installed.

    As it was when this was first called: later changes are not in the code that runs.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        def git(*words):
            return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True,
                                  check=True).stdout.strip()
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "si_tutorial/*.py")
                                           else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _accelerator(device: str) -> str:
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return device


def _cpuinfo() -> dict[str, str]:
    """What Linux tells about the first processor; nothing elsewhere."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return {}
    lines = file.read_text().partition("\n\n")[0].splitlines()
    return {name.strip(): value.strip() for name, _, value in (row.partition(":") for row in lines)}
