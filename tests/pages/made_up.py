"""A small gallery without a run: two designs, one load, two machines, one race that breaks, one bug."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pandas as pd

from spfvar.comparison.stats import axes_key
from spfvar.explore.verdict import SAFE, Finding, Verdict
from spfvar.matrix import catalogue
from spfvar.matrix.cases import Case
from spfvar.matrix.check import Checked
from spfvar.matrix.compare import Comparison, evaluate
from spfvar.matrix.first_bad import FirstBad
from spfvar.matrix.plan import Plan, make_plan
from spfvar.matrix.samples import Samples
from spfvar.pages.gallery import Known, Machine, machine_of
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Twin
from spfvar.scenario.schema import Scenario
from tests.review.made_up import trace

BASE, OTHER, LOAD, RACE = "mmap-lock", "spf-anon", "pft", "mbind"
MACHINES = ("skylake-2s56c", "phone-8c")


@cache
def registry() -> Registry:
    """What is shipped."""
    return load_registry()


def machine(name: str) -> Machine:
    """The other design has twice the baseline's faults/s at 4 threads, and the same at 1."""
    return machine_of(name, f"the title of {name}", comparison(plan(name)))


def plan(name: str, known: catalogue.Catalogue[Scenario] | None = None, load: str = LOAD) -> Plan:
    """Both designs under a load on a machine."""
    return make_plan(
        registry(), known or catalogue.scenarios(), catalogue.hardware(), variants=[BASE, OTHER],
        patterns=[load], threads=[1, 4], hardware=name, seeds=6,
    )  # fmt: skip


def comparison(plan: Plan) -> Comparison:
    """What such a plan gave."""
    rows = [
        (cell.variant.name, cell.load.scenario, axes_key(cell.axes), seed, "faults_per_s", _value(cell.variant.name, cell.axes["threads"], seed))
        for cell in plan.cells
        for seed in range(6)
    ]  # fmt: skip
    columns = ["variant", "scenario", "axes", "seed", "metric", "value"]
    events = pd.DataFrame([], columns=["variant", "scenario", "axes", "seed", "event", "value"])
    return evaluate(plan, Samples(pd.DataFrame(rows, columns=columns), events))


def _value(variant: str, threads: object, seed: int) -> float:
    return 1e6 * (2.0 if (variant, threads) == (OTHER, 4) else 1.0) * (0.99, 1.0, 1.01)[seed % 3]


def known() -> Known:
    """Both designs are safe in the race, what was posted of the second is not, and neither is the twin."""
    designs = tuple(registry()[name] for name in (BASE, OTHER))
    posted = registry().as_posted(designs[1])
    race = catalogue.races()[RACE]
    finding = Finding("P2", "access to a freed object", trace(), f"{posted.name}:{RACE}:AAAA")
    safe = Verdict("", RACE, SAFE, 10, 20, 5, 0.0)
    broken = replace(safe, verdict="violation", findings=(finding,))
    checked = [
        Checked(Case(form, RACE, race), replace(broken if form is posted else safe, variant=form.name))
        for form in (designs[0], posted, designs[1])
    ]
    twin = next(one for one in registry().twins.values() if one.bug == "H4" and one.fixed == OTHER)
    last = registry().series["spf"].patches[15]
    firsts = {twin.name: FirstBad("spf@16", last, 16, "spf@23+33+34+35")}
    return Known(
        designs, tuple(map(machine, MACHINES)), {LOAD: "the title of the load"}, checked,
        list(_of_twin(twin, broken, safe)), registry().twins, firsts, "spfvar gallery site",
    )  # fmt: skip


def _of_twin(twin: Twin, broken: Verdict, safe: Verdict) -> tuple[Checked, Checked]:
    race = catalogue.races()[twin.race]
    with_bug, without = registry().any_variant(twin.name), registry()[twin.fixed]
    return (
        Checked(Case(with_bug, twin.race, race, twin.name, twin.prop), replace(broken, variant=twin.name)),
        Checked(Case(without, twin.race, race, twin.name, SAFE), replace(safe, variant=without.name)),
    )
