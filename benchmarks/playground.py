"""The playground in headless Chromium: `python benchmarks/playground.py`.

On one quiet core it should train 500 steps a second for each learner on points and 60 on digits,
draw 30 frames and five pairs of maps a second meanwhile, and after ten minutes hold at most 1.1
times the memory that it held after two. The load of the machine is told beside, since on a busy one
all rates are too low.
"""

import argparse
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
RATE = """async ([text, sheet, setting]) => {
  const home = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { workplace, address, serve } = await import(home);
  const place = workplace({ address, serve });
  await place.ask({ sheet, begin: setting });
  await place.ask({ learn: "all", advance: 100 }); // the engine is warm after that
  const began = performance.now(), { step } = await place.ask({ advance: 300 });
  const beside = place.beside(), rate = (1000 * (step - 100)) / (performance.now() - began);
  place.end();
  return [rate, beside];
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


def rate(page: Page, folder: Path, tasks: str) -> float:
    """Steps a second that a Worker makes for each of the two learners, without any drawing."""
    there = os.path.relpath(KIT, folder)
    (folder / "both.js").write_text(f'export {{ workplace }} from "{there}/worker.js";\n'
                                    f'export {{ address, serve }} from "{there}/engine.js";\n')
    count = 5 if tasks == "digits" else 4
    sheet = [(7 * k) % 16 for k in range(700 * 700)] if tasks == "digits" else None
    found, beside = page.evaluate(RATE, [bundle(folder / "both.js"), sheet, {
        **SETTING, "tasks": tasks, "order": list(range(count))}])
    if not beside:
        raise RuntimeError("the engine ran in the page and not in a Worker")
    return found


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
            print(f"{what:42}{value:8.1f}   {limit:16} load {os.getloadavg()[0]:.1f}", flush=True)

        for tasks, limit in (("islands", 500), ("digits", 60)):
            tell(f"steps a second for each learner, {tasks}", rate(page, folder, tasks),
                 f"at least {limit}")
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
