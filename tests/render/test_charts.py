"""Charts: well-formed, inside their view box, complete in words, readable on light and on dark."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spfvar.comparison.metrics import METRICS
from spfvar.render import charts
from spfvar.render.charts import (
    Bar,
    Curve,
    Point,
    Stacked,
    ratio_chart,
    scaling_chart,
    stacked_chart,
    without_equals,
)

SVG = "{http://www.w3.org/2000/svg}"
RATE = METRICS["faults_per_s"]

NAMES = st.text(st.characters(), max_size=60)
VALUES = st.one_of(st.floats(0, 1e12), st.sampled_from([0.0, math.nan, math.inf]))
POINTS = st.builds(Point, st.sampled_from([1.0, 2.0, 16.0, 56.0]), VALUES, VALUES, VALUES)
CURVES = st.lists(st.builds(Curve, NAMES, st.lists(POINTS, max_size=5).map(tuple)), max_size=8)
BARS = st.lists(
    st.builds(Bar, NAMES, VALUES, VALUES, VALUES, st.sampled_from(["better", "WORSE", "same", "n/a", ""])),
    max_size=8,
)


def parsed(text: str) -> ET.Element:
    """The element; fails for what is not well-formed."""
    return ET.fromstring(text)


def printable(text: str) -> str:
    """A name as XML can hold it, with white space as a parser gives it back."""
    return charts._clean(text).replace("\r\n", "\n").replace("\r", "\n")


def coordinates(svg: ET.Element) -> list[tuple[float, float]]:
    """Every point that is drawn: of lines, curves, bars, markers and the places of texts."""
    found: list[tuple[float, float]] = []
    for element in svg.iter():
        get = element.attrib.get
        for x, y in (("x", "y"), ("x1", "y1"), ("x2", "y2"), ("cx", "cy")):
            if x in element.attrib:
                found.append((float(element.attrib[x]), float(element.attrib[y])))
        if get("width") and element.tag == f"{SVG}rect":
            found.append(
                (
                    float(get("x", "")) + float(get("width", "")),
                    float(get("y", "")) + float(get("height", "")),
                )
            )
        found += [(float(x), float(y)) for x, y in (p.split(",") for p in get("points", "").split())]
        found += [(float(x), float(y)) for x, y in re.findall(r"M([-\d.]+) ([-\d.]+)", get("d", ""))]
    return found


def check(text: str, names: list[str]) -> None:
    """Well-formed; every point in the view box, no number that is none; every name in the description."""
    svg = parsed(text)
    width, height = (float(part) for part in svg.attrib["viewBox"].split()[2:])
    for x, y in coordinates(svg):
        assert 0 <= x <= width
        assert 0 <= y <= height
    desc = svg.find(f"{SVG}desc")
    assert desc is not None
    for name in names:
        assert printable(name) in (desc.text or "")


@example([Curve("", (Point(1.0, 0.0, 0.0, 5e-324),))])  # a fifth of it is 0
@given(CURVES)
def test_curves_are_drawn_inside_and_named(curves: list[Curve]) -> None:
    """Whatever the values and names, also without any."""
    check(scaling_chart(curves, RATE, title="t", ident="c"), [curve.name for curve in curves])


@given(BARS)
def test_bars_are_drawn_inside_and_named(bars: list[Bar]) -> None:
    """Whatever the ratios and labels, also without any."""
    check(ratio_chart(bars, title="t", ident="c"), [bar.label for bar in bars])


TWO = [
    Curve("one", (Point(1, 1e6, 0.9e6, 1.1e6), Point(4, 2e6, 1.9e6, 2.1e6))),
    Curve("two", (Point(1, 1e6), Point(2, math.nan), Point(4, 4e6))),
]


@given(
    st.lists(NAMES, max_size=6, unique=True).flatmap(
        lambda names: st.lists(
            st.builds(
                Stacked,
                NAMES,
                st.tuples(*(st.tuples(st.just(name), st.floats(-10.0, 1e9)) for name in names)),
            ),
            max_size=4,
        )
    )
)
def test_stacked_bars_are_drawn_inside_and_named(bars: list[Stacked]) -> None:
    """Also without parts, and with one below zero, which a later time has taken back."""
    check(stacked_chart(bars, title="t", ident="c"), [bar.label for bar in bars])


def test_parts_are_as_long_as_their_share_and_have_one_colour_each() -> None:
    """The longest bar is as wide as there is room for; a part has its colour in every bar and in the legend."""
    bars = [Stacked("a", (("x", 300.0), ("y", 100.0))), Stacked("b", (("x", 0.0), ("y", 200.0)))]
    svg = parsed(stacked_chart(bars, title="t", ident="c"))
    drawn = [(float(r.attrib["width"]), r.attrib["style"]) for r in svg.iter(f"{SVG}rect")]
    parts, legend = drawn[:3], drawn[3:]
    assert [width for width, _ in parts] == pytest.approx([354.0, 118.0, 236.0], abs=0.1)
    assert parts[1][1] == parts[2][1] == legend[1][1] != parts[0][1] == legend[0][1]


def test_text_from_outside_is_escaped() -> None:
    """A name or title that is markup appears as text, in attributes too."""
    evil = '<script>"&'
    for text in (
        scaling_chart([Curve(evil, TWO[0].points)], RATE, title=evil, ident='"><script>'),
        ratio_chart([Bar(evil, 2.0)], title=evil, ident="c"),
    ):
        assert "<script" not in text
        assert "&lt;script&gt;" in text


def test_a_chart_is_an_image_with_a_name_and_a_description() -> None:
    """By ids of its own, with every number: a reader who does not see it misses nothing."""
    svg = parsed(scaling_chart(TWO, RATE, title="file-cow", ident="c1"))
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-labelledby"] == "c1-title c1-desc"
    title, desc = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert title is not None
    assert desc is not None
    assert (title.attrib["id"], title.text) == ("c1-title", "file-cow")
    assert desc.text == (
        "one: 1.00M faults/s (0.900 to 1.10) at threads=1, 2.00M faults/s (1.90 to 2.10) at threads=4; "
        "two: 1.00M faults/s at threads=1, n/a at threads=2, 4.00M faults/s at threads=4"
    )


def test_values_lie_where_the_axes_say() -> None:
    """x doubles at even steps (1, 2, 4); y begins at 0, and 4 M is the top of the scale (ticks 0 to 4)."""
    svg = parsed(
        scaling_chart([Curve("a", (Point(1, 0.0), Point(2, 2e6), Point(4, 4e6)))], RATE, title="t", ident="c")
    )
    (line,) = svg.findall(f".//{SVG}polyline")
    (x1, y1), (x2, y2), (x3, y3) = coordinates(line)
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.11)
    assert (y1 + y3) / 2 == pytest.approx(y2, abs=0.11)
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    assert texts[:6] == ["0", "1", "2", "3", "4", "1"]


def test_a_missing_value_interrupts_the_curve() -> None:
    """Two points with a gap between them are two pieces, each with its marker."""
    svg = parsed(scaling_chart(TWO[1:], RATE, title="t", ident="c"))
    assert [len(coordinates(line)) for line in svg.findall(f".//{SVG}polyline")] == [1, 1]


def test_the_band_is_the_interval() -> None:
    """A polygon of the upper ends and then the lower ones; none for points without an interval."""
    svg = parsed(scaling_chart(TWO, RATE, title="t", ident="c"))
    (band,) = svg.findall(f".//{SVG}polygon")
    (_, high1), (_, high4), (_, low4), (_, low1) = coordinates(band)
    assert high1 < low1
    assert high4 < low4


def test_bars_lean_to_the_side_of_their_ratio() -> None:
    """x2 and x0.5 are equally long, on either side of x1 in the middle."""
    svg = parsed(
        ratio_chart([Bar("a", 2.0, verdict="better"), Bar("b", 0.5, verdict="WORSE")], title="t", ident="c")
    )
    more, less = svg.findall(f".//{SVG}rect")
    assert float(more.attrib["x"]) == charts.WIDTH / 2
    assert float(less.attrib["x"]) + float(less.attrib["width"]) == pytest.approx(charts.WIDTH / 2, abs=0.11)
    assert float(more.attrib["width"]) == pytest.approx(float(less.attrib["width"]), abs=0.11)
    assert {"x2.00 better", "x0.50 WORSE"} <= {text.text for text in svg.iter(f"{SVG}text")}


def test_curves_differ_without_colour() -> None:
    """Each of the first six has its own dash, and its own marker."""
    svg = parsed(scaling_chart([Curve(str(i), TWO[0].points) for i in range(6)], RATE, title="t", ident="c"))
    assert len({line.attrib.get("stroke-dasharray") for line in svg.findall(f".//{SVG}polyline")}) == 6
    groups = [group for group in svg.findall(f"{SVG}g") if group.find(f"{SVG}polyline") is not None]
    shapes = set()
    for group in groups:
        marker = group[-1]
        path = re.sub(r"M[-\d.]+ [-\d.]+", "", marker.attrib.get("d", ""))
        shapes.add((marker.tag, marker.attrib.get("fill"), path))
    assert len(shapes) == 6


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio as WCAG 2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("colours", "ground"), [(charts.LIGHT, "#ffffff"), (charts.DARK, "#1a1a1a")])
def test_colours_stand_out(colours: tuple[str, ...], ground: str) -> None:
    """At least 3:1 against the ground, which WCAG 2.1 asks of graphics."""
    assert all(contrast(colour, ground) >= 3 for colour in colours)


def test_the_style_sheet_has_every_colour_for_both_grounds() -> None:
    """Each variable that a chart uses is set for light, for dark and for print."""
    text = scaling_chart([Curve(str(i), TWO[0].points) for i in range(7)], RATE, title="t", ident="c")
    text += ratio_chart([Bar(v, 2.0, verdict=v) for v in ("better", "WORSE", "same")], title="t", ident="d")
    used = set(re.findall(r"var\((--[\w-]+),", text))
    assert len(used) == len(charts.LIGHT) + 3
    assert all(charts.CSS.count(f"{name}:") == 3 for name in used)


def test_a_chart_is_small_and_always_the_same() -> None:
    """Five curves of four points stay below 10 kB; nothing in it depends on when it was made."""
    curves = [
        Curve(f"variant-{i}", tuple(Point(4.0**k, 1e6 + i, 9e5, 1.1e6) for k in range(4))) for i in range(5)
    ]
    text = scaling_chart(curves, RATE, title="t", ident="c")
    assert len(text) < 10_000
    assert text == scaling_chart(curves, RATE, title="t", ident="c")


def test_no_thread_is_no_place_on_a_scale_of_doublings() -> None:
    """An x of 0 is refused."""
    with pytest.raises(ValueError, match="threads has to be positive"):
        scaling_chart([Curve("a", (Point(0, 1.0),))], RATE, title="t", ident="c")


def test_equal_curves_are_one_with_both_names_and_the_others_keep_their_colours() -> None:
    """b is a within a thousandth, c is not: a = b in the first style, c in the third."""
    near = tuple(Point(p.x, p.value * 1.0005) for p in TWO[0].points)
    far = tuple(Point(p.x, p.value * 1.1) for p in TWO[0].points)
    found = without_equals([Curve("a", TWO[0].points), Curve("b", near), Curve("c", far)])
    assert [(curve.name, curve.style) for curve in found] == [("a = b", 0), ("c", 2)]
    svg = scaling_chart(found, RATE, title="t", ident="c")
    assert "a = b" in svg
    assert "var(--chart-2," in svg
    assert "var(--chart-1," not in svg


def test_bars_have_an_axis() -> None:
    """Ratios: doublings within reach; times: round numbers of their unit, and what they are."""
    ratios = ratio_chart([Bar("a", 4.2, verdict="better")], title="t", ident="c")
    assert [f">x{n}<" in ratios for n in ("0.25", "0.5", "1", "2", "4", "8")] == [True] * 5 + [False]
    wide = ratio_chart([Bar("a", 90.0, verdict="better")], title="t", ident="c")
    assert [f">x{n}<" in wide for n in ("0.1", "1", "10", "2")] == [True] * 3 + [False]
    times = stacked_chart([Stacked("a", (("work", 1500.0), ("wait", 500.0)))], title="t", ident="c")
    assert "a fault's time, in us" in times
    assert [f">{n}<" in times for n in ("0", "0.5", "1", "1.5", "2")] == [True] * 5
