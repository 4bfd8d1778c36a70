"""README's picture, from the published results: `make picture`.

Permuted MNIST at the paper's size: the mean accuracy on the tasks learned so far, with SI and with
plain training. Two files, for a light and for a dark page, each with a ground of its own, so that
both can be read wherever README is shown.
"""

from pathlib import Path

from si_tutorial.experiments import store

FOLDER = Path(__file__).resolve().parents[1] / "_static"
WIDTH, HEIGHT = 560, 330
LEFT, TOP, RIGHT, BOTTOM = 66, 44, 126, 54  # around the axes
LOOKS = {  # ground, text, lines of the axes; the colours of figures.COLORS, brighter on dark
    "light": {"ground": "#ffffff", "text": "#1f2328", "axes": "#c4c8cc",
              "SI": "#0173b2", "fine-tuning": "#d55e00"},
    "dark": {"ground": "#0d1117", "text": "#f0f3f6", "axes": "#4a515a",
             "SI": "#4fa8e0", "fine-tuning": "#ee7a29"},
}
NAMES = {"SI": "SI", "fine-tuning": "plain training"}


def curves() -> dict[str, list[float]]:
    """For each method, the mean accuracy (0 … 1) on the tasks seen, after each of the ten."""
    table = store.accuracies(store.published("permuted-mnist"))
    seen = table[table["tested"] <= table["trained"]]
    means = seen.groupby(["method", "trained"])["accuracy"].mean()
    return {method: means[method].tolist() for method in NAMES}


def picture(lines: dict[str, list[float]], look: str) -> str:
    """The drawing as the text of an SVG file."""
    color, tasks = LOOKS[look], len(lines["SI"])
    across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(task: int, accuracy: float) -> tuple[str, str]:
        return (f"{LEFT + across * (task - 1) / (tasks - 1):.1f}",
                f"{TOP + up * (1 - accuracy):.1f}")

    def text(x, y, words, anchor="start"):
        return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{color["ground"]}"/>',
             text(10, 24, "accuracy on the tasks learned so far")]
    for percent in (0, 25, 50, 75, 100):
        x, y = place(1, percent / 100)
        parts += [f'<path d="M{x} {y}H{WIDTH - RIGHT}" stroke="{color["axes"]}"/>',
                  text(LEFT - 8, f"{float(y) + 5:.1f}", f"{percent} %", "end")]
    for task in range(1, tasks + 1):
        parts.append(text(place(task, 0)[0], HEIGHT - 30, task, "middle"))
    parts.append(text(WIDTH - RIGHT, HEIGHT - 9, "tasks learned", "end"))
    for method, values in lines.items():
        points = [place(task, a) for task, a in enumerate(values, start=1)]
        parts.append(f'<polyline points="{" ".join(map(",".join, points))}" fill="none" '
                     f'stroke="{color[method]}" stroke-width="3.5" stroke-linejoin="round"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="4.5" fill="{color[method]}"/>'
                  for x, y in points]
        x, y = float(points[-1][0]) + 12, float(points[-1][1])
        parts += [text(x, f"{y + dy:.1f}", words) for dy, words in
                  ((-3, NAMES[method]), (17, f"{100 * values[-1]:.1f} %"))]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, sans-serif" '
            f'font-size="16" fill="{color["text"]}">\n' + "\n".join(parts) + "\n</svg>\n")


def main() -> None:
    lines = curves()
    for look in LOOKS:
        (FOLDER / f"permuted-mnist-{look}.svg").write_text(picture(lines, look), encoding="utf-8",
                                                           newline="\n")


if __name__ == "__main__":
    main()
