"""Charts as inline SVG text: scaling curves, and bars of ratios.

Written with the standard library rather than with matplotlib, after measuring: a chart of five curves is
21 kB from matplotlib 3.11 (0.6 s to import, 97 MB to install) and 8 kB from here, with a text on each point;
its colours are fixed in every element and its ids repeat from chart to chart, so for dark mode and for
several charts on one page all of it would have to be rewritten.

Colours are CSS variables (`CSS`) whose defaults can be read on white; text has the colour of the text around.
Curves differ by colour, dash and marker.  What a chart shows is also in its <desc>, number by number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from xml.etree import ElementTree as ET

from spfvar.comparison.metrics import Metric
from spfvar.errors import shorten
from spfvar.render import units

#: Colours for a light and for a dark ground, at least 3:1 against it; after Okabe and Ito, for most eyes.
LIGHT = ("#0072b2", "#c04f00", "#007d5a", "#a3487c", "#806000", "#5a4fcf")
DARK = ("#56b4e9", "#f5883c", "#2fc89b", "#e08fbc", "#e6b800", "#a59cf5")
BETTER, WORSE, OTHER = "better", "worse", "other"
_LIGHT_VERDICTS = {BETTER: "#0072b2", WORSE: "#c04f00", OTHER: "#707070"}
_DARK_VERDICTS = {BETTER: "#56b4e9", WORSE: "#f5883c", OTHER: "#a0a0a0"}

_DASHES = ("", "7 3", "2 3", "9 3 2 3", "5 2 5 2 1 2", "1 2")
_MARKERS = ("circle", "square", "triangle", "diamond", "cross", "ring")

WIDTH = 480
_LEFT, _RIGHT, _TOP, _PLOT = 52, 16, 30, 220
_BELOW = 42  # numbers and name of the x axis
_ROW = 18  # of a legend
_BAR_ROW, _BAR = 40, 14
_CHAR = 6.6  # the width of a letter, about
_TICKS = (1.0, 2.0, 2.5, 5.0, 10.0)
_ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _variables(colours: Sequence[str], verdicts: dict[str, str]) -> str:
    named = {f"chart-{i + 1}": colour for i, colour in enumerate(colours)}
    named |= {f"chart-{name}": colour for name, colour in verdicts.items()}
    return "".join(f"--{name}:{colour};" for name, colour in named.items())


#: To be put into the page's style once; without it the colours are those for a light ground.
CSS = (
    f":root{{{_variables(LIGHT, _LIGHT_VERDICTS)}}}\n"
    f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK, _DARK_VERDICTS)}}}}}\n"
    f"@media print{{:root{{{_variables(LIGHT, _LIGHT_VERDICTS)}}}}}\n"
    "svg.chart{width:100%;max-width:40rem;height:auto;color:inherit}\n"
)


@dataclass(frozen=True, slots=True)
class Point:
    """A value at ``x`` with its 95 % interval; NaN: no value, or no interval; an end may be infinite."""

    x: float
    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True)
class Curve:
    """A variant's points, in ascending order of ``x``; ``style``: its colour's number (-1: its place's)."""

    name: str
    points: tuple[Point, ...]
    style: int = -1


@dataclass(frozen=True, slots=True)
class Bar:
    """A ratio with its 95 % interval; ``verdict`` as in tables: "better", "WORSE", "unsure", ..."""

    label: str
    ratio: float
    low: float = math.nan
    high: float = math.nan
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Stacked:
    """A time (ns) as a bar of its parts, which are the same, in the same order, for all bars of a chart."""

    label: str
    parts: tuple[tuple[str, float], ...]

    @property
    def whole(self) -> float:
        """All parts; one below zero (a time that a later one takes back) counts as none."""
        return sum(max(0.0, ns) for _, ns in self.parts)


def without_equals(curves: Sequence[Curve]) -> list[Curve]:
    """Curves that lie on one another as one, named after both ("a = b"); each keeps its own style."""
    found: list[Curve] = []
    for number, curve in enumerate(curves):
        for index, other in enumerate(found):
            if _look_alike(curve.points, other.points):
                found[index] = replace(other, name=f"{other.name} = {curve.name}")
                break
        else:
            found.append(replace(curve, style=number))
    return found


def _look_alike(some: Sequence[Point], others: Sequence[Point]) -> bool:
    """Nowhere a thousandth apart: nobody could see it."""
    return [p.x for p in some] == [p.x for p in others] and all(
        (math.isnan(one.value) and math.isnan(other.value))
        or math.isclose(one.value, other.value, rel_tol=1e-3)
        for one, other in zip(some, others, strict=True)
    )


def scaling_chart(
    curves: Sequence[Curve], metric: Metric, *, title: str, ident: str, x_name: str = "threads"
) -> str:
    """A metric (in its unit) over ``x``, on a scale of doublings: a curve per variant, first the baseline.

    ``ident`` is unique on the page.  Returns an <svg> element.  Raises ValueError for an x below or at zero.
    """
    xs = sorted({point.x for curve in curves for point in curve.points})
    if any(x <= 0 for x in xs):
        raise ValueError(f"{x_name} has to be positive on a scale of doublings, got {xs[0]}")
    values = [point.value for curve in curves for point in curve.points if math.isfinite(point.value)]
    ends = [p.high for curve in curves for p in curve.points if math.isfinite(p.high) and p.high > 0]
    scale = units.scale_for(values, metric.unit)
    ticks = _nice_ticks(max([*values, *ends], default=0.0) / scale.factor)
    plot = _Plot(xs, ticks[-1] * scale.factor)
    curves = [curve if curve.style >= 0 else replace(curve, style=i) for i, curve in enumerate(curves)]
    legend = _legend_rows([curve.name for curve in curves], [curve.style for curve in curves])
    svg = _svg(ident, title, _curves_text(curves, scale, x_name), _TOP + _PLOT + _BELOW + _ROW * len(legend))
    _axes(svg, plot, ticks, f"{metric.title}, in {scale.unit.strip()} ({metric.better} is better)", x_name)
    for curve in curves:
        _curve(svg, plot, curve, curve.style, scale, x_name)
    _legend(svg, legend, _TOP + _PLOT + _BELOW)
    return _text_of(svg)


def ratio_chart(bars: Sequence[Bar], *, title: str, ident: str) -> str:
    """Ratios as bars from x1, on a logarithmic scale; the label and the verdict stand above each bar.

    ``ident`` is unique on the page.  Returns an <svg> element.
    """
    reach = max([math.log(2), *(abs(math.log(v)) for bar in bars for v in _clipped(bar))]) * 1.05
    middle, half = WIDTH / 2, WIDTH / 2 - 12
    lines = [f"{bar.label}: {_ratio_text(bar)}" for bar in bars]
    bottom = _BAR_ROW * len(bars) + 12.0
    height = bottom + 38
    svg = _svg(ident, title, "; ".join(lines), height)

    def x_of(ratio: float) -> float:
        return middle + half * max(-1.0, min(1.0, math.log(ratio) / reach))

    grid = _child(svg, "g", stroke="currentColor", stroke_opacity=".2")
    for tick in _ratio_ticks(reach):
        _child(grid, "line", x1=x_of(tick), x2=x_of(tick), y1=6, y2=bottom)
        _label(svg, x_of(tick), bottom + 14, f"x{tick:g}", "middle")
    _child(svg, "line", x1=middle, x2=middle, y1=6, y2=bottom, stroke="currentColor")
    for index, bar in enumerate(bars):
        top = 8.0 + _BAR_ROW * index
        row = _child(svg, "g")
        _child(row, "title").text = _clean(lines[index])
        _label(row, 4, top + 11, shorten(bar.label, 45))
        _label(row, WIDTH - 4, top + 11, _ratio_text(bar), "end")
        colour = {"better": BETTER, "WORSE": WORSE}.get(bar.verdict, OTHER)
        clipped = _clipped(bar)
        if clipped:
            x = x_of(clipped[0])
            _child(
                row, "rect", x=min(x, middle), y=top + 16, width=max(abs(x - middle), 0.5), height=_BAR,
                style=f"fill:var(--chart-{colour},{_LIGHT_VERDICTS[colour]})",
            )  # fmt: skip
        if len(clipped) > 1:
            left, right = x_of(clipped[1]), x_of(clipped[2])
            y = top + 16 + _BAR / 2
            _child(row, "path", d=f"M{left:.1f} {y}H{right:.1f}M{left:.1f} {y - 4}v8M{right:.1f} {y - 4}v8",
                   stroke="currentColor", fill="none")  # fmt: skip
    _label(svg, 4, height - 6, "less than the other")
    _label(svg, middle, height - 6, "ratio", "middle")
    _label(svg, WIDTH - 4, height - 6, "more", "end")
    return _text_of(svg)


def _ratio_ticks(reach: float) -> list[float]:
    """Some powers of two (of ten, where those would be many) within ``reach``, a logarithm, of 1."""
    base = 2.0 if reach < math.log(20) else 10.0
    most = int(reach / math.log(base))
    return [base**power for power in range(-most, most + 1)]


def stacked_chart(bars: Sequence[Stacked], *, title: str, ident: str) -> str:
    """Times as bars from 0 that are made of parts, on one scale; what the parts are is said below.

    ``ident`` is unique on the page.  Returns an <svg> element.
    """
    scale = units.scale_for([bar.whole for bar in bars], "ns")
    longest = max((bar.whole for bar in bars), default=0.0) or 1.0
    names = [name for name, _ in bars[0].parts] if bars else []
    names = [name for i, name in enumerate(names) if any(bar.parts[i][1] > 0 for bar in bars)]
    legend = _legend_rows(names)
    axis = _BAR_ROW * len(bars) + 8.0
    height = axis + _ROW * len(legend) + 44
    said = [f"{bar.label}: {scale.text(bar.whole)} ({_parts_text(bar, scale)})" for bar in bars]
    svg = _svg(ident, title, "; ".join(said), height)
    room = WIDTH - 8
    grid = _child(svg, "g", stroke="currentColor", stroke_opacity=".2")
    for tick in _nice_ticks(longest / scale.factor):
        x = 4 + room * tick * scale.factor / longest
        if x <= WIDTH - 4 + 1e-6:
            _child(grid, "line", x1=x, x2=x, y1=8.0, y2=axis)
            _label(
                svg, x, axis + 14, f"{tick:g}", "start" if not tick else "end" if x > WIDTH - 24 else "middle"
            )
    _label(svg, WIDTH / 2, axis + 28, f"a fault's time, in {scale.unit.strip()}", "middle")
    for index, bar in enumerate(bars):
        top = 8.0 + _BAR_ROW * index
        row = _child(svg, "g")
        _label(row, 4, top + 11, shorten(bar.label, 45))
        _label(row, WIDTH - 4, top + 11, scale.text(bar.whole), "end")
        x = 4.0
        for name, ns in bar.parts:
            width = room * max(0.0, ns) / longest
            if width > 0.0:
                part = _child(
                    row, "rect", x=x, y=top + 16, width=width, height=_BAR, stroke="currentColor",
                    stroke_width=".5", style=f"fill:{_colour(names.index(name) + 1)}",
                )  # fmt: skip
                _child(part, "title").text = _clean(f"{bar.label}, {name}: {scale.text(ns)}")
            x += width
    for index, entries in enumerate(legend):
        y = axis + 44 + _ROW * index
        for x, number, name in entries:
            _child(
                svg, "rect", x=x, y=y - 8, width=20.0, height=10.0, stroke="currentColor", stroke_width=".5",
                style=f"fill:{_colour(number + 1)}",
            )  # fmt: skip
            _label(svg, x + 26, y + 1, name)
    return _text_of(svg)


def _parts_text(bar: Stacked, scale: units.Scale) -> str:
    return ", ".join(f"{name} {scale.text(ns)}" for name, ns in bar.parts if ns > 0)


# --- pieces --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where values lie on the paper."""

    xs: list[float]
    top: float

    def x(self, value: float) -> float:
        width = WIDTH - _LEFT - _RIGHT
        low, high = math.log(self.xs[0]), math.log(self.xs[-1])
        share = (math.log(value) - low) / (high - low) if high > low else 0.5
        return _LEFT + 10 + share * (width - 20)

    def y(self, value: float) -> float:
        share = max(0.0, min(1.0, value / self.top))
        return _TOP + _PLOT * (1 - share)


def _svg(ident: str, title: str, description: str, height: float) -> ET.Element:
    svg = ET.Element(
        "svg", {
            "xmlns": "http://www.w3.org/2000/svg", "class": "chart", "role": "img",
            "viewBox": f"0 0 {WIDTH} {height:g}", "aria-labelledby": f"{ident}-title {ident}-desc",
            "font-size": "12", "font-family": "inherit", "fill": "currentColor",
        },
    )  # fmt: skip
    _child(svg, "title", id=f"{ident}-title").text = _clean(title)
    _child(svg, "desc", id=f"{ident}-desc").text = _clean(description)
    return svg


def _child(parent: ET.Element, tag: str, **attributes: object) -> ET.Element:
    named = {name.replace("_", "-"): _attribute(value) for name, value in attributes.items()}
    return ET.SubElement(parent, tag, named)


def _attribute(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else _clean(str(value))


def _clean(text: str) -> str:
    """Text that XML can hold; its markup is escaped where it is written."""
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)


def _text_of(svg: ET.Element) -> str:
    return ET.tostring(svg, encoding="unicode")


def _label(parent: ET.Element, x: float, y: float, text: str, anchor: str = "start") -> None:
    label = _child(parent, "text", x=float(x), y=float(y))
    if anchor != "start":
        label.set("text-anchor", anchor)
    label.text = _clean(text)


def _axes(svg: ET.Element, plot: _Plot, ticks: Sequence[float], title: str, x_name: str) -> None:
    grid = _child(svg, "g", stroke="currentColor", stroke_opacity=".2")
    for tick in ticks:
        y = _TOP + _PLOT * (1 - tick / ticks[-1])
        _child(grid, "line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y)
        _label(svg, _LEFT - 6, y + 4, f"{tick:g}", "end")
    free = -math.inf
    for x in plot.xs:
        place, width = plot.x(x), _CHAR * len(f"{x:g}")
        if place - width / 2 > free:
            _label(svg, place, _TOP + _PLOT + 16, f"{x:g}", "middle")
            free = place + width / 2 + 4
    _label(svg, (WIDTH + _LEFT - _RIGHT) / 2, _TOP + _PLOT + 33, x_name, "middle")
    _label(svg, 4, 14, title)


def _curve(svg: ET.Element, plot: _Plot, curve: Curve, number: int, scale: units.Scale, x_name: str) -> None:
    group = _child(svg, "g", style=f"color:{_colour(number)}" if number else "")
    if not number:
        del group.attrib["style"]
    _child(group, "title").text = _clean(curve.name)
    for part in _parts(curve.points):
        band = [p for p in part if not math.isnan(p.low) and not math.isnan(p.high)]
        if len(band) > 1:
            there = [f"{plot.x(p.x):.1f},{plot.y(p.high):.1f}" for p in band]
            back = [f"{plot.x(p.x):.1f},{plot.y(p.low):.1f}" for p in reversed(band)]
            _child(group, "polygon", points=" ".join(there + back), fill_opacity=".15")
        line = " ".join(f"{plot.x(p.x):.1f},{plot.y(p.value):.1f}" for p in part)
        _stroke(_child(group, "polyline", points=line), number)
        for point in part:
            marker = _marker(group, plot.x(point.x), plot.y(point.value), number)
            said = f"{curve.name}, {x_name}={point.x:g}: {_value_text(point, scale)}"
            _child(marker, "title").text = _clean(said)


def _parts(points: Iterable[Point]) -> list[list[Point]]:
    """Runs of points that have a value."""
    parts: list[list[Point]] = [[]]
    for point in points:
        if math.isfinite(point.value):
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _colour(number: int) -> str:
    index = (number - 1) % len(LIGHT)
    return f"var(--chart-{index + 1},{LIGHT[index]})"


def _stroke(line: ET.Element, number: int) -> None:
    line.set("fill", "none")
    line.set("stroke", "currentColor")
    line.set("stroke-width", "2")
    if dash := _DASHES[number % len(_DASHES)]:
        line.set("stroke-dasharray", dash)


def _marker(parent: ET.Element, x: float, y: float, number: int) -> ET.Element:
    kind = _MARKERS[number % len(_MARKERS)]
    if kind in ("circle", "ring"):
        marker = _child(parent, "circle", cx=x, cy=y, r=3.5)
    elif kind == "square":
        marker = _child(parent, "rect", x=x - 3.2, y=y - 3.2, width=6.4, height=6.4)
    else:
        shape = {"triangle": "m0 -4.5l4 7h-8z", "diamond": "m0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z",
                 "cross": "m-3.5 -3.5l7 7m-7 0l7 -7"}[kind]  # fmt: skip
        marker = _child(parent, "path", d=f"M{x:.1f} {y:.1f}{shape}")
    hollow = kind in ("cross", "ring")
    if hollow:
        marker.set("fill", "none")
        marker.set("stroke", "currentColor")
        marker.set("stroke-width", "2")
    return marker


def _legend_rows(names: Sequence[str], styles: Sequence[int] = ()) -> list[list[tuple[float, int, str]]]:
    """Names in rows that fit: (place, number of the curve, name)."""
    rows: list[list[tuple[float, int, str]]] = []
    x = math.inf
    for number, name in zip(styles or range(len(names)), names, strict=True):
        shown = shorten(name, 64 if " = " in name else 40)
        width = 40 + _CHAR * len(shown) + 14
        if x + width > WIDTH:
            rows.append([])
            x = 4.0
        rows[-1].append((x, number, shown))
        x += width
    return rows


def _legend(svg: ET.Element, rows: Sequence[Sequence[tuple[float, int, str]]], top: float) -> None:
    for index, row in enumerate(rows):
        y = top + _ROW * index + 8
        for x, number, name in row:
            sample = _child(svg, "g", style=f"color:{_colour(number)}") if number else _child(svg, "g")
            _stroke(_child(sample, "path", d=f"M{x:.1f} {y:.1f}h32"), number)
            _marker(sample, x + 16, y, number)
            _label(svg, x + 38, y + 4, name)


def _nice_ticks(highest: float) -> list[float]:
    """Four to six round numbers from 0 to at least ``highest``."""
    if not 1e-300 < highest < math.inf:  # below, its fifth may be no number but 0
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(highest / 5))
    step = next(n * power for n in _TICKS if highest / (n * power) <= 5.0001)
    return [float(f"{step * i:.12g}") for i in range(math.ceil(highest / step - 1e-9) + 1)]


# --- in words ------------------------------------------------------------------------------------


def _curves_text(curves: Sequence[Curve], scale: units.Scale, x_name: str) -> str:
    """Every number of the chart."""
    return "; ".join(
        f"{curve.name}: " + ", ".join(f"{_value_text(p, scale)} at {x_name}={p.x:g}" for p in curve.points)
        for curve in curves
    )


def _value_text(point: Point, scale: units.Scale) -> str:
    text = scale.text(point.value)
    if math.isnan(point.low) or math.isnan(point.high):
        return text
    return f"{text} ({scale.number(point.low)} to {scale.number(point.high)})"


def _ratio_text(bar: Bar) -> str:
    return f"{units.ratio(bar.ratio)} {bar.verdict}".strip() or units.NOT_AVAILABLE


def _clipped(bar: Bar) -> list[float]:
    """Ratio, low and high within what a chart shows; ends only if both are known."""
    if not math.isfinite(bar.ratio):
        return []
    ends = [] if math.isnan(bar.low) or math.isnan(bar.high) else [bar.low, bar.high]
    return [max(0.01, min(100.0, value)) for value in (bar.ratio, *ends)]
