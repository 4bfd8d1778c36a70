"""Keep how long each notebook took when the book was built, for the page on reproducibility.

    python tools/times.py build/times.xml JOBS

The file is pytest's report of the build, in which JOBS notebooks ran at a time.
"""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

from si_tutorial.experiments.provenance import provenance

TIMES = Path(__file__).resolve().parents[1] / "si_tutorial/results/notebooks.jsonl"


def main(report: str, jobs: str) -> None:
    origin = {"jobs": int(jobs), **provenance("cpu")}
    taken = {Path(case.get("name")).stem: float(case.get("time"))
             for case in ElementTree.parse(report).iter("testcase")}
    lines = [{"notebook": name, "seconds": seconds} | origin for name, seconds in
             sorted(taken.items(), key=lambda pair: -pair[1])]
    TIMES.write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"{TIMES}: {len(lines)} notebooks, {sum(taken.values()) / 60:.1f} minutes in all")


if __name__ == "__main__":
    main(*sys.argv[1:])
