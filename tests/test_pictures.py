"""Pictures on the page: inline SVG in its colours, large enough, light enough, with words."""

import html
import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from si_tutorial import look, pictures

WORDS = "a line that rises from left to right"


@pytest.fixture(autouse=True)
def the_book_s_look():
    with plt.rc_context():
        look.theme()
        yield
    plt.close("all")


def line(**style):
    _, ax = plt.subplots()
    ax.plot([0, 1], [0, 1], **style)
    return ax


def elements(shown, tag):
    return [e for picture in shown.pictures for e in ElementTree.fromstring(picture).iter(tag)]


def styles(shown):
    return " ".join(e.attrib.get("style", "") for e in elements(shown, None))


def test_caption_words_and_picture_stay_together_and_nothing_is_left_open():
    shown = pictures.show(line(), "A <caption> & more.", alt="What is <seen> & how it goes on.")
    page = shown._repr_html_()
    assert html.escape("A <caption> & more.") in page
    assert f'role="img" aria-label="{html.escape(shown.alt)}"' in page
    assert page.count("<svg") == 1 and not re.search(r"<[?!]|\bid=\"figure|xlink", page)
    assert not plt.get_fignums()  # shown once, not a second time by the notebook


@pytest.mark.parametrize("alt", ["", "a figure", "plot.png"])
def test_a_figure_without_words_is_refused(alt):
    with pytest.raises(ValueError, match="cannot see"):
        pictures.show(line(), "caption", alt=alt)
    assert not plt.get_fignums()


def test_black_and_grey_follow_the_page_and_colours_stay():
    ax = line(color="#d55e00")
    ax.axhline(0.5, color="black")
    ax.axvline(0.5, color="0.8")
    ax.plot(0.5, 0.5, "o", color="white")
    found = styles(pictures.show(ax, "caption", alt=WORDS))
    assert "stroke:#d55e00" in found
    assert "stroke:currentColor;stroke-width" in found or "stroke:currentColor" in found
    assert "stroke-opacity:0.20" in found
    assert f"fill:{pictures.PAGE}" in found
    assert not re.search(r"#([0-9a-f]{2})\1\1", found)   # no grey of its own is left
    root = ElementTree.fromstring(pictures.show(line(), "c", alt=WORDS).pictures[0])
    assert root.attrib["fill"] == "currentColor"          # what has no colour of its own


def test_half_transparent_grey_keeps_its_share():
    found = styles(pictures.show(line(color="0.5", alpha=0.5), "caption", alt=WORDS))
    assert re.search(r"stroke-opacity:0\.2[45]", found)


def test_text_is_text_in_the_page_s_font_and_formulas_read_as_one():
    ax = line()
    ax.set(xlabel="learning rate η", ylabel=r"$10^{-3}\theta_{1}$ and more")
    shown = pictures.show(ax, "caption", alt=WORDS)
    texts = ["".join(e.itertext()) for e in elements(shown, "text")]
    assert "learning rate η" in texts
    assert "10⁻³θ₁ and more" in texts
    assert "font-family" not in styles(shown)


def test_text_too_small_for_a_phone_is_refused_with_the_width_that_would_do():
    _, ax = plt.subplots(figsize=(7, 3))
    ax.set_xlabel("x")
    with pytest.raises(ValueError, match=r"pixels high on a phone.*at most 4\.\d inches.*panels"):
        pictures.show(ax, "caption", alt=WORDS)
    with pytest.raises(ValueError, match="text of 6 points"):
        pictures.show(line().set_title("small", fontsize=6).axes, "caption", alt=WORDS)
    assert not plt.get_fignums()


def test_a_full_page_figure_of_the_book_s_size_has_11_pixels_on_a_phone():
    root = elements(pictures.show(line(), "caption", alt=WORDS), "svg")[0]
    width = float(root.attrib["viewBox"].split()[2])
    sizes = [float(n) for n in re.findall(r"font-size:([\d.]+)px",
                                          ElementTree.tostring(root, encoding="unicode"))]
    assert sizes and min(sizes) * pictures.PHONE / width >= 11
    assert f"width:{round(width * pictures.SCALE)}px" in root.attrib["style"]


def test_a_drawing_too_heavy_for_a_page_is_refused_and_rasterized_it_is_let_through():
    def cloud(**style):
        _, ax = plt.subplots()
        ax.scatter(*np.random.default_rng(0).normal(size=(2, 3000)), **style)
        return ax

    with pytest.raises(ValueError, match=r"kB.*rasterized=True"):
        pictures.show(cloud(), "caption", alt=WORDS)
    assert elements(pictures.show(cloud(rasterized=True), "caption", alt=WORDS), "image")


def test_an_image_costs_its_own_pixels_and_shows_them():
    _, ax = plt.subplots()
    ax.imshow(np.random.default_rng(0).random((28, 28)))
    shown = pictures.show(ax, "caption", alt="a square of random pixels, all of them different")
    image, = elements(shown, "image")
    assert "pixelated" in image.attrib["style"] and len(image.attrib["href"]) < 5000
    assert not re.search(r"\s", image.attrib["href"].split(",")[1])


def test_panels_are_as_many_pictures_with_one_caption_and_their_words_in_order():
    panels = look.panels(2)
    for ax, words in zip(panels, ("the first panel shows a line", "the second none"), strict=True):
        look.describe(ax, words)
    shown = pictures.show(panels, "caption")
    assert len(shown.pictures) == 2 and shown._repr_html_().count("<figcaption") == 1
    assert shown.alt == "the first panel shows a line the second none"


def test_two_pictures_on_one_page_share_no_name():
    def names(caption):
        shown = pictures.show(line(marker="o"), caption, alt=WORDS)
        return {e.attrib["id"] for e in elements(shown, None) if "id" in e.attrib}

    assert names("one") and not names("one") & names("other")


def test_every_name_that_is_referred_to_is_there():
    picture = pictures.show(line(marker="o"), "caption", alt=WORDS).pictures[0]
    asked = set(re.findall(r"url\(#(\w+)\)|href=\"#(\w+)\"", picture))
    assert {a or b for a, b in asked} == set(re.findall(r' id="(\w+)"', picture))
