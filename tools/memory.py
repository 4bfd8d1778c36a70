"""Execute notebooks and tell how much memory each one's kernel needed at its peak (Linux).

Binder stops a session at 2 GB, of which the server needs some: above 1,500 MB this fails.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

LIMIT = 1500  # MB
PEAK = "print(*(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def peak(path: Path) -> float:
    """The kernel's largest resident memory while it executed the notebook, in MB."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    NotebookClient(notebook, timeout=900,
                   resources={"metadata": {"path": str(path.parent)}}).execute()
    return int(notebook.cells[-1].outputs[0].text.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    peaks = {}
    for name in sys.argv[1:]:
        peaks[name] = peak(Path(name))
        print(f"{peaks[name]:6.0f} MB  {name}", flush=True)
    sys.exit(any(megabytes > LIMIT for megabytes in peaks.values()))
