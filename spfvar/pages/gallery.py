"""A static site of everything that is known: designs x loads x machines, races x designs, and bugs.

Pages share a style and a script that lie beside them, and lead to each other by relative addresses, so that
the folder can be opened from a disk or served from anywhere.  The same results give the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

import spfvar
from spfvar.comparison.metrics import METRICS
from spfvar.comparison.verdicts import Verdict
from spfvar.matrix.check import Checked
from spfvar.matrix.compare import Comparison
from spfvar.matrix.first_bad import FirstBad
from spfvar.pages.comparison import heat, scaling_parts
from spfvar.pages.document import Document, Said, render_document, site_files
from spfvar.pages.gallery_races import bug_pages, race_pages, safety_of
from spfvar.pages.site import (
    HOOK_POINTS,
    INDEX,
    RACES,
    Sources,
    cell_page,
    design_page,
    hook_page,
    hooks_of,
    race_page,
    slug,
    trail,
)
from spfvar.plugins.variant import Twin, Variant
from spfvar.render import units
from spfvar.render.again import Files
from spfvar.render.digest import Digest, digest_of
from spfvar.render.digest import Entry as Ratio
from spfvar.render.digested import MARKS
from spfvar.render.meta import Meta
from spfvar.review.pageparts import Entry, Grid, PagePart, PageSection
from spfvar.review.parts import Command, Item, Items, Text

_RATE = "faults_per_s"


@dataclass(frozen=True)
class Machine:
    """The comparison of all designs on one machine."""

    name: str
    title: str
    comparison: Comparison
    digest: Digest

    @property
    def draws(self) -> bool:
        """Were the machine's figures drawn?"""
        return self.comparison.plan.ensemble is not None


@dataclass(frozen=True)
class Known:
    """What a gallery shows.

    ``loads`` are the titles of loads by name; ``checked`` are designs (and what was posted of them) in races,
    ``twins`` bugs in their own races, with the design without the bug, ``firsts`` by twin the first patch of
    a series that shows it.  ``reproduce`` makes the site again, ``files`` are those that commands on its
    pages have to name.
    """

    designs: tuple[Variant, ...]
    machines: tuple[Machine, ...]
    loads: Mapping[str, str]
    checked: Sequence[Checked]
    twins: Sequence[Checked]
    bugs: Mapping[str, Twin]
    firsts: Mapping[str, FirstBad]
    reproduce: str
    files: Files = field(default_factory=Files)


def machine_of(name: str, title: str, comparison: Comparison) -> Machine:
    """A comparison with its digest of faults/s."""
    plan = comparison.plan
    digest = digest_of(
        comparison.comparisons, baseline=plan.baseline, metric=METRICS[_RATE],
        variants=[variant.name for variant in plan.variants], thresholds=plan.thresholds,
    )  # fmt: skip
    return Machine(name, title, comparison, digest)


def gallery(known: Known) -> Iterator[tuple[str, str]]:
    """Every file of the site: its path, and its text."""
    sources = Sources()
    yield from site_files().items()
    yield INDEX, _index(known)
    yield from race_pages(known.checked, known.designs, known.files)
    pages = {race_page(one.case.race_name) for one in known.checked}
    pages |= {design_page(design.name) for design in known.designs}
    yield from bug_pages(known.twins, known.bugs, known.firsts, sources, pages, known.files)
    users: dict[str, list[str]] = {}
    for design in known.designs:
        for hook in hooks_of(design.patches):
            users.setdefault(hook, []).append(design.name)
        yield design_page(design.name), _design(known, design, sources)
    yield from _cells(known)
    yield HOOK_POINTS, hook_page(sources, users)
    yield from sources.pages()


def _page(title: str, sections: Sequence[PageSection], deep: bool, said: tuple[Said, ...] = ()) -> str:
    opening = ("SIMULATED: no kernel was booted, no time was measured.",)
    shown = tuple(section for section in sections if section.parts)
    page = Document(title, title, opening, said, shown, spfvar.__version__, trail(deep))
    return render_document(page, "../" if deep else "")


# --- the first page ------------------------------------------------------------------------------


def _index(known: Known) -> str:
    """Designs with their safety, then a heat map per machine."""
    sections = [
        PageSection("designs", "Designs", (_designs(known),)),
        *(
            PageSection(
                f"on-{slug(machine.name)}", f"Faults/s on {machine.name}", tuple(_map(known, machine))
            )
            for machine in known.machines
        ),
        PageSection("provenance", "Where this comes from", tuple(_provenance(known))),
    ]
    return _page("Designs, loads, machines", sections, deep=False)


def _designs(known: Known) -> Grid:
    safety = {design.name: safety_of(known.checked, design) for design in known.designs}
    rows = tuple(
        (
            Entry(design.name, (design.title,), href=design_page(design.name)),
            Entry(safety[design.name][0], tone=safety[design.name][1], href=RACES),
            Entry(design.kernel),
        )
        for design in known.designs
    )
    return Grid("What was published, and is it safe?", ("design", "safe?", "kernel"), rows)


def _map(known: Known, machine: Machine) -> Iterator[PagePart]:
    """Designs by loads: the ratio at the most threads of each load."""
    names = machine.digest.variants
    lines = machine.digest.lines
    rows = []
    for name in names:
        entries = [_last(line.entries, name, line.columns) for line in lines]
        cells = (
            _heated(found, cell_page(name, line.load.split(",")[0]) + f"#on-{slug(machine.name)}")
            for line, found in zip(lines, entries, strict=True)
        )
        rows.append((Entry(name, href=design_page(name)), *cells))
    baseline = machine.digest.baseline
    yield Text(
        f"{machine.title}. Ratio to {baseline} at the most threads of each load; a cell leads to its page."
    )
    yield Text("! WORSE; ~ likely, on 80 % of machines; = the same; ? depends on the machine's figures.")
    headers = ("design", *(line.load for line in lines))
    yield Grid(f"{machine.name}: page faults per second", headers, tuple(rows), numeric=True, kind="heat")


def _last(entries: Mapping[tuple[str, str], Ratio], name: str, columns: Sequence[str]) -> Ratio | None:
    return next((entries[name, column] for column in reversed(columns) if (name, column) in entries), None)


def _heated(found: Ratio | None, href: str) -> Entry:
    """A cell that leads somewhere, or nowhere: then nobody sorts by it."""
    if found is None:
        return Entry("", key=math.nan if href else None)
    return Entry(
        _marked(found.ratio, found.verdict), key=round(found.ratio, 6) if href else None,
        tone=heat(found.ratio, found.verdict), href=href,
    )  # fmt: skip


def _marked(ratio: float, verdict: Verdict) -> str:
    return (units.ratio(ratio)[1:] or units.NOT_AVAILABLE) + MARKS[verdict]


def _provenance(known: Known) -> Iterator[PagePart]:
    yield Items(
        tuple(
            Item(f"{machine.name}:", f"matrix {machine.comparison.plan.matrix_hash}, {_runs(machine)}")
            for machine in known.machines
        )
    )
    yield Text(f"spfvar {spfvar.__version__}, model {spfvar.MODEL_VERSION}.")
    yield Command("Reproduce:", known.reproduce)


def _runs(machine: Machine) -> str:
    plan = machine.comparison.plan
    what = "draws of the machine's figures" if machine.draws else "seeds"
    return f"{plan.seeds} {what} from {plan.seed}; {plan.profile.fidelity or 'fidelity not known'}"


# --- designs -------------------------------------------------------------------------------------


def _design(known: Known, design: Variant, sources: Sources) -> str:
    """What it is, from which patches, at which hook points; how it does under each load."""
    text, tone = safety_of(known.checked, design)
    facts = [
        Item("Title:", design.title), Item("Kernel:", design.kernel), Item("Source:", design.source),
        *([Item("Description:", design.description)] if design.description else []),
    ]  # fmt: skip
    layers = []
    for patch in design.patches:
        place = sources.place(patch)
        doc = (patch.__doc__ or "").strip().split("\n")[0]
        where = Entry(str(place), href=place.href) if place else Entry("")
        layers.append((Entry(patch.__name__), Entry(doc), where))
    hooks = []
    for name, patch in hooks_of(design.patches).items():
        place = sources.place(getattr(patch, name))
        where = Entry(str(place), href=place.href) if place else Entry("")
        hooks.append((Entry(f"{name}()", href=f"../{HOOK_POINTS}#hook-{name}"), Entry(patch.__name__), where))
    parts: list[PagePart] = [Items(tuple(facts))]
    if design.repairs:
        parts.append(Text("It is not as posted: without its repairs,"))
        parts.append(Items(tuple(Item(f"{', '.join(one.bugs)}:", one.what) for one in design.repairs)))
    loads = tuple(
        PageSection(
            f"on-{slug(machine.name)}", f"Faults/s on {machine.name}", (_loads(machine, design.name),)
        )
        for machine in known.machines
        if design.name in machine.digest.variants
    )
    sections = [
        PageSection("design", "What it is", tuple(parts)),
        *loads,
        PageSection("hooks", "Hook points of its own", _filled(("hook point", "class", "at"), hooks)),
        PageSection("layers", "Its patches, the outermost last", _filled(("class", "what", "at"), layers)),
    ]
    return _page(design.name, sections, deep=True, said=(Said("Safe:", ((text, tone),), f"../{RACES}"),))


def _filled(headers: tuple[str, ...], rows: Sequence[tuple[Entry, ...]]) -> tuple[Grid, ...]:
    return (Grid("", headers, tuple(rows)),) if rows else ()


def _loads(machine: Machine, name: str) -> Grid:
    """A row per load: the ratio at each number of threads that any load has."""
    lines = [line for line in machine.digest.lines if any(variant == name for variant, _ in line.entries)]
    columns = sorted(
        {column for line in lines for column in line.columns}, key=lambda text: (len(text), text)
    )
    rows = []
    for line in lines:
        href = f"../{cell_page(name, line.load.split(',')[0])}#on-{slug(machine.name)}"
        cells = (_heated(line.entries.get((name, column)), "") for column in columns)
        rows.append((Entry(line.load, href=href), *cells))
    caption = f"Ratio to {machine.digest.baseline} at so many threads"
    return Grid(caption, ("load", *columns), tuple(rows), numeric=True, kind="heat")


# --- cells ---------------------------------------------------------------------------------------


def _cells(known: Known) -> Iterator[tuple[str, str]]:
    """A page per design and load, with a section per machine."""
    tables = {machine.name: _by_cell(machine) for machine in known.machines}
    for design in known.designs:
        for load, title in known.loads.items():
            sections = [
                PageSection(
                    f"on-{slug(machine.name)}", f"On {machine.name}",
                    tuple(_cell(machine, tables[machine.name], design.name, load)),
                )
                for machine in known.machines
            ]  # fmt: skip
            if any(section.parts for section in sections):
                about = PageSection("load", "The load", (Text(f"{load}: {title}."), _leads(design.name)))
                yield (
                    cell_page(design.name, load),
                    _page(f"{design.name} under {load}", [*sections, about], deep=True),
                )


def _leads(design: str) -> Grid:
    return Grid("", ("the design",), ((Entry(design, href=f"../{design_page(design)}"),),))


#: Of a design under a load: the rows of each outcome, by axes.
_Ratios = dict[str, dict[str, dict[Any, Any]]]


@dataclass(frozen=True)
class _Cells:
    """A comparison by (variant, load); ``meta`` is where it comes from."""

    values: Mapping[tuple[str, str], pd.DataFrame]
    ratios: Mapping[tuple[str, str], _Ratios]
    meta: Meta


def _by_cell(machine: Machine) -> _Cells:
    comparison, plan = machine.comparison, machine.comparison.plan
    rates = comparison.cells[comparison.cells["metric"] == _RATE]
    groups = rates.groupby(["variant", "scenario"], sort=False)
    values = {(str(variant), str(load)): rows for (variant, load), rows in groups}
    ratios: dict[tuple[str, str], _Ratios] = {}
    for row in comparison.comparisons.to_dict("records"):
        if METRICS[row["metric"]].outcome:
            of_cell = ratios.setdefault((row["variant"], row["scenario"]), {})
            of_cell.setdefault(row["metric"], {})[row["axes"]] = row
    meta = Meta(
        plan.version, plan.model, plan.hardware, machine.digest.baseline, plan.matrix_hash, plan.seeds,
        plan.seed, "", draws=machine.draws,
    )  # fmt: skip
    return _Cells(values, ratios, meta)


def _cell(machine: Machine, cells: _Cells, design: str, load: str) -> Iterator[PagePart]:
    """Curves of the design and the baseline, then ratios of every outcome."""
    baseline = machine.digest.baseline
    ratios = cells.ratios.get((design, load))
    if ratios is None:
        return
    both = pd.concat(
        [cells.values[name, load] for name in (baseline, design) if (name, load) in cells.values]
    )
    prefix = f"chart-{slug(machine.name)}"
    yield from scaling_parts(both, [baseline, design], {}, cells.meta, prefix, tips=False)
    points = _points(list(dict.fromkeys(text for rows in ratios.values() for text in rows)))
    rows = [
        (Entry(METRICS[name].title), *(_outcome(found.get(text)) for text, _ in points))
        for name, found in ratios.items()
        if any(row["verdict"] != "n/a" for row in found.values())  # the load has it: writers, an end, ...
    ]
    headers = ("outcome", *(label for _, label in points))
    yield Grid(f"Ratio to {baseline}", headers, tuple(rows), numeric=True, kind="heat")


def _points(axes_texts: Sequence[str]) -> list[tuple[str, str]]:
    """Axes and what a column is called: "16 threads", with what else differs from column to column."""
    found = [(text, json.loads(text)) for text in axes_texts]
    varied = [
        name for name in dict.fromkeys(name for _, axes in found for name in axes)
        if name != "threads" and len({str(axes.get(name)) for _, axes in found}) > 1
    ]  # fmt: skip
    return [(text, _point(axes, varied)) for text, axes in found]


def _point(axes: Mapping[str, object], varied: Sequence[str]) -> str:
    more = (f"{name} {axes[name]}" for name in varied if name in axes)
    return ", ".join([f"{axes['threads']} threads", *more])


def _outcome(row: Mapping[Any, Any] | None) -> Entry:
    if row is None:
        return Entry("")
    ratio, verdict = float(str(row["ratio"])), str(row["verdict"])
    shown = next((one for one in MARKS if one == verdict), "n/a")
    return Entry((units.ratio(ratio)[1:] or units.NOT_AVAILABLE) + MARKS[shown], tone=heat(ratio, verdict))
