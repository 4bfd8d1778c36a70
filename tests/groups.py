"""Commands in groups of processes of their own, which a test may kill or interrupt."""

import contextlib
import os
import signal
import subprocess


@contextlib.contextmanager
def groups(folder, *paths, cwd=None):
    """A function that starts a command; what each says goes to a file in `folder`, its `said`."""
    started = []

    def start(command):
        said = folder / f"said{len(started)}.txt"
        with open(said, "w") as file:
            started.append(subprocess.Popen(
                command, stdout=file, stderr=file, start_new_session=True, cwd=cwd,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}))
        started[-1].said = said
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def left_of(process):
    """Processes of its group that are still there."""
    rows = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True,
                          check=True).stdout.splitlines()
    return [row for row in rows if row.split()[0] == str(process.pid) and "Z" not in row]
