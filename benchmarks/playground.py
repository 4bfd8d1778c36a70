"""The playground in headless Chromium: `python benchmarks/playground.py`.

On one quiet core it should train 500 steps a second for each learner on points and 60 on digits,
draw 30 frames and five pairs of maps a second meanwhile, and after ten minutes hold at most 1.1
times the memory that it held after two. A busy machine makes all rates too low, so its load is told
beside, and on Linux how many steps a second of the processor's own time would make.
"""

import argparse
import contextlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from si_tutorial import explorables
from si_tutorial.explorables.explorable import bundle
from si_tutorial.explorables.playground import Playground

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
KIT = Path(explorables.__file__).parent / "kit"
SETTING = {"method": "si", "hidden": 64, "seed": 0, "strength": 1, "damping": 0.1, "rate": 0.01}
WARM = """async ([text, sheet, setting]) => {
  const home = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { workplace, address, serve } = await import(home);
  window.place = workplace({ address, serve });
  await place.ask({ sheet, begin: setting });
  await place.ask({ learn: "all", advance: 100 }); // the engine is warm after that
  return place.beside();
}"""
COUNT = """window.counts = { frames: 0, maps: 0 };
const frame = () => { counts.frames += 1; requestAnimationFrame(frame); };
requestAnimationFrame(frame);
const { drawImage } = CanvasRenderingContext2D.prototype;
CanvasRenderingContext2D.prototype.drawImage = function (...given) {
  if (this.canvas.isConnected) counts.maps += 0.5; // of a pair
  drawImage.apply(this, given);
};
setInterval(() => { // trains again and again
  const main = document.querySelector(".si-main");
  if (main && !main.textContent.includes("Pause")) main.click();
}, 200);"""


def worker_seconds() -> float:
    """The processor's time that Workers of browsers begun here have taken; Linux alone tells it."""
    parent, taken = {}, []
    for thread in Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            name, _, rest = thread.read_text().partition("(")[2].rpartition(")")
            process, fields = int(thread.parts[2]), rest.split()
            parent[process] = int(fields[1])
            if name.startswith("DedicatedWorker"):
                taken.append((process, int(fields[11]) + int(fields[12])))

    def ours(process):
        return process == os.getpid() or (process in parent and ours(parent[process]))

    ticks = [ticks for process, ticks in taken if ours(process)]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else float("nan")


def rates(page: Page, folder: Path, tasks: str, steps: int = 300) -> tuple[float, float]:
    """Steps a second for each of two learners in a Worker: by the clock, and of its own time."""
    there = os.path.relpath(KIT, folder)
    (folder / "both.js").write_text(f'export {{ workplace }} from "{there}/worker.js";\n'
                                    f'export {{ address, serve }} from "{there}/engine.js";\n')
    count = 5 if tasks == "digits" else 4
    sheet = [(7 * k) % 16 for k in range(700 * 700)] if tasks == "digits" else None
    if not page.evaluate(WARM, [bundle(folder / "both.js"), sheet, {
            **SETTING, "tasks": tasks, "order": list(range(count))}]):
        raise RuntimeError("the engine ran in the page and not in a Worker")
    before, began = worker_seconds(), time.monotonic()
    page.evaluate("(steps) => place.ask({ advance: steps }).then(() => null)", steps)
    passed, own = time.monotonic() - began, worker_seconds() - before
    page.evaluate("place.end()")
    return steps / passed, steps / own


def opened(page: Page, folder: Path) -> None:
    """The whole playground, which trains without end."""
    file = folder / "playground.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{Playground(speed='fast').static()}",
                    encoding="utf-8")
    page.add_init_script(COUNT)
    page.goto(file.as_uri())
    page.locator(".si-main", has_text="Pause").wait_for()


def drawn(page: Page, seconds: float) -> tuple[float, float]:
    """Frames and pairs of maps a second."""
    before, began = page.evaluate("({ ...counts })"), time.monotonic()
    page.wait_for_timeout(1000 * seconds)
    after, passed = page.evaluate("({ ...counts })"), time.monotonic() - began
    return tuple((after[name] - before[name]) / passed for name in ("frames", "maps"))


def size(used: dict) -> float:
    """MB of objects and of the arrays of numbers, which are stored beside them."""
    return (used["usedSize"] + used["backingStorageSize"]) / 1e6


def heap(page: Page) -> float:
    """MB that the page and its Worker hold after their garbage has been collected."""
    session, workers, answers = page.context.new_cdp_session(page), [], {}

    def keep(event):
        answer = json.loads(event["message"])
        answers[answer.get("id")] = answer.get("result")

    session.on("Target.attachedToTarget", lambda event: workers.append(event["sessionId"]))
    session.on("Target.receivedMessageFromTarget", keep)
    session.send("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": False,
                                          "flatten": False})
    page.wait_for_timeout(500)
    [worker] = workers
    for number, method in enumerate(("HeapProfiler.collectGarbage", "Runtime.getHeapUsage")):
        session.send("Target.sendMessageToTarget", {
            "sessionId": worker, "message": json.dumps({"id": number, "method": method})})
        while number not in answers:
            page.wait_for_timeout(100)
    session.send("HeapProfiler.collectGarbage")
    used = size(session.send("Runtime.getHeapUsage")) + size(answers[1])
    session.detach()
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long memory is watched")
    minutes = parser.parse_args().minutes
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page, folder = browser.new_page(), Path(name)

        def tell(what, value, limit):
            print(f"{what:42}{value:9.2f}   {limit:16} load {os.getloadavg()[0]:.1f}", flush=True)

        for tasks, limit in (("islands", 500), ("digits", 60)):
            clock, own = rates(page, folder, tasks)
            tell(f"steps a second for each learner, {tasks}", clock, f"at least {limit}")
            tell("the same, of the processor's own time", own, f"at least {limit}")
        opened(page, folder)
        frames, maps = drawn(page, min(20, 6 * minutes))
        tell("frames a second while it trains", frames, "at least 30")
        tell("pairs of maps a second", maps, "at least 5")
        page.wait_for_timeout(60_000 * minutes / 5)
        early = heap(page)
        page.wait_for_timeout(60_000 * minutes * 4 / 5)
        late = heap(page)
        tell(f"MB after {minutes / 5:g} minutes", early, "")
        tell(f"MB after {minutes:g} minutes, divided by that", late / early, "at most 1.1")
        browser.close()


if __name__ == "__main__":
    main()
