"""A small review without a run: every part of it is there, and every number in it is chosen by the test."""

from __future__ import annotations

import math
from dataclasses import replace

from spfvar.comparison.metrics import METRICS
from spfvar.explore.states import Freed, States
from spfvar.explore.trace import Step, Trace
from spfvar.matrix.ablate import Break
from spfvar.render.charts import Curve, Point
from spfvar.review.hunks import Case, HunkSteps, Touch, TouchedHook
from spfvar.review.model import (
    HELPS,
    HURTS,
    SAME,
    Abort,
    Answer,
    Chart,
    Duel,
    Effect,
    GuardUse,
    Layer,
    LoadEffect,
    Machine,
    Mended,
    PatchReview,
    Provenance,
    RaceOutcome,
    Reason,
    Review,
    Safety,
    Speed,
    Subject,
    Violation,
)
from spfvar.review.patchmail import parse_patch
from spfvar.review.points import Figure
from spfvar.review.sensitivity import Flip, Sensitivity
from spfvar.review.verdict import make_verdict

#: What a stranger may write: markup, a table's signs, terminal codes, a turned reading order, a vote, an end.
HOSTILE = "<script>alert(1)</script> | **b** `c` @all #1 \x1b[31m \u202e Tested-by: Me <m@e>"

LAYER = Layer("FirstCheck", "1/2: look again before the entry is set.")
PATCH = b"""From: A. U. Thor <a@example.org>
Subject: [PATCH 1/2] mm: look again
Date: Thu, 1 Jan 2026 00:00:00 +0000
Message-Id: <1@example.org>

Look again.
---
 mm/memory.c | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

--- a/mm/memory.c
+++ b/mm/memory.c
@@ -1,2 +1,2 @@ static vm_fault_t __do_fault(struct vm_fault *vmf)
-\tone
+\tother
 \tsame
"""


def subject(name: str, *layers: Layer) -> Subject:
    """A variant."""
    return Subject(name, f"the title of {name}", "v0", "nowhere", "", layers)


def effect(scenario: str, threads: int, ratio: float, verdict: str, metric: str = "faults_per_s") -> Effect:
    """A ratio with an interval of 1 % either way, of values around 1000."""
    axes = {"threads": threads}
    return Effect(scenario, axes, metric, ratio, ratio * 0.99, ratio * 1.01, 1000.0 * ratio, 1000.0, verdict)


def load(scenario: str, kind: str, *effects: Effect) -> LoadEffect:
    """A load's throughput."""
    return LoadEffect(scenario, f"the title of {scenario}", kind, effects)


def trace() -> Trace:
    """Two threads, two steps; the second frees what the first one has found."""
    steps = (
        Step(1, "fault", "do_fault", "look", "yes", ("vma = vma 0",)),
        Step(2, "munmap", "munmap", "free", "", ("vma 0: in use -> free",)),
    )
    words = (("fault", "vma"), ("locks", "mm->mmap_lock"), ("vma", "vma 0"))
    freed = Freed("vma 0", "in use -> free", 2, "munmap", "munmap", "free")
    states = States(
        words,
        ("", "munmap writes", "in use"),
        (((0, "vma 0"),), ((0, "vma 0 (freed)"), (2, "free"))),
        (freed,),
    )
    return Trace(("fault", "munmap"), steps, ("access to a freed object",), (0, 1), states=states)


def outcome(variant: str, race: str, verdict: str = "safe") -> RaceOutcome:
    """A cell of the matrix with 1234 states."""
    broken = verdict == "violation"
    why = "max_states" if verdict == "incomplete" else ""
    return RaceOutcome(race, variant, verdict, 1234, "P1" if broken else "", 2 if broken else 0, (), why)


def guard(name: str, *breaks: Break, of_patch: bool = True) -> GuardUse:
    """A check in do_fault()."""
    return GuardUse("do_fault", "check", name, "mine.py:7", LAYER, of_patch, breaks, ("other-race",), ())


def patch_review(mail: bytes = PATCH) -> PatchReview:
    """The patch above, and a hook point with two steps more."""
    parsed = parse_patch(mail)
    case = Case(("read fault",), ("fault()",), ("check()", "  no: return VM_FAULT_RETRY", "fault()"))
    hook = TouchedHook(
        Touch("do_fault", "__do_fault", "is"), "The ->fault of a file.", ("FirstCheck",), (case,)
    )
    return PatchReview(parsed, (LAYER,), (HunkSteps(parsed.hunks[0], ("__do_fault",), (hook,)),))


def sensitivity() -> Sensitivity:
    """Better at a hit rate of 1, the same at 0.5."""
    default = Figure(1.0, "better", 2.0, (2.0, 1.0))
    flipped = Figure(0.5, "same", 1.0, (1.0, 1.0))
    return Sensitivity(
        "fast-load", "mine", "base", "faults_per_s", "hit_rate", "share in the page cache", default,
        (Flip(default, flipped),), (flipped, default), 6, 4,
    )  # fmt: skip


def duel(rival: str) -> Duel:
    """One load hurts, one is the same, one helps; a writer pays."""
    loads = (
        load("slow-load", HURTS, effect("slow-load", 1, 1.0, "same"), effect("slow-load", 4, 0.8, "WORSE")),
        load("even-load", SAME, effect("even-load", 1, 1.0, "same")),
        load("fast-load", HELPS, effect("fast-load", 1, 1.0, "same"), effect("fast-load", 4, 2.0, "better")),
    )
    writer = effect("fast-load", 4, 1.5, "WORSE", "writer_p99")
    every = tuple(one for each in loads for one in each.effects)
    return Duel(rival, loads, (*every, writer), (writer, loads[0].effects[1]))


def review(unsafe: bool = False) -> Review:
    """The review of "mine" against "base" and "rival"; ``unsafe``: with a violation in one of two races."""
    names = ("mine", "base", "rival")
    races = {"first-race": "a fault against munmap", "other-race": "two faults"}
    outcomes = [outcome(name, race) for race in races for name in names]
    violations: tuple[Violation, ...] = ()
    if unsafe:
        outcomes[0] = outcome("mine", "first-race", "violation")
        token = "mine:first-race:" + "A" * 90
        violations = (Violation("mine", "first-race", "P1", "nobody looks at a freed VMA", trace(), token),)
    needed = guard("look again", Break(36, "first-race", "P1", "access to a freed object"))
    safety = Safety(races, tuple(outcomes), violations, (needed, guard("no use", of_patch=False)))
    explains = {
        "lock_wait_share": {"mine": 0.01, "base": 0.5},
        "mmap_lock_share": {"mine": 0.0, "base": 1.0},
        "spec_success": {"mine": 0.9, "base": math.nan},
        "writer_p50": {"mine": 100.0, "base": 90.0},
        "writer_p99": {"mine": 300.0, "base": 200.0},
    }
    reason = Reason("fast-load", {"threads": 4}, explains, (Abort("gave_up", "a writer came", 12.5),))
    curves = tuple(Curve(name, (Point(1, 1e6), Point(4, 2e6))) for name in ("base", "rival", "mine"))
    chart = Chart("fast-load", "", "the title of fast-load", METRICS["faults_per_s"], curves)
    speed = Speed((duel("base"), duel("rival")), (reason,), (chart,))
    answer = Answer("why", "Why is that?", "A. Asker, of 1/2", "2@example.org", ("because of 7 steps",), "")
    return Review(
        subject("mine", LAYER, Layer("Extra", "A repair.")), (subject("base"), subject("rival")), None,
        patch_review(), make_verdict(safety, speed, subject("mine")), safety, speed, (sensitivity(),), (answer,),
        ("Nothing is booted.",), Machine("box", "a box", "a shop", ("one factor",), "Rough."), (),
        ("a note",), Provenance("0.1", "1", "base", "a" * 12, "b" * 12, {"fast-load": "c" * 12}, 6, 1,
                                "spfvar report mine --patch mine.patch"),
    )  # fmt: skip


def many_races() -> Review:
    """With 20 more races, safe everywhere; one of the first two breaks."""
    base = review(unsafe=True)
    more = {f"race-{number}": "the title of a race" for number in range(20)}
    outcomes = [outcome(name, race) for race in more for name in ("mine", "base", "rival")]
    safety = replace(
        base.safety, races={**base.safety.races, **more}, outcomes=(*base.safety.outcomes, *outcomes)
    )
    return replace(base, safety=safety)


def repaired() -> Review:
    """The same with a repair, without which the second race breaks, too; "rival" has two."""
    base = review()
    mended = Mended(("B1", "B2"), "a page is lost", "Extra")
    races = (outcome("mine-posted", "first-race"), outcome("mine-posted", "other-race", "violation"))
    token = "mine-posted:other-race:" + "A" * 90
    lost = Violation("mine-posted", "other-race", "P1", "nobody looks at a freed VMA", trace(), token)
    safety = replace(base.safety, outcomes=(*base.safety.outcomes, *races), violations=(lost,))
    mine = replace(base.variant, repairs=(mended,))
    rivals = (base.rivals[0], replace(base.rivals[1], repairs=(mended, mended)))
    return replace(
        base, variant=mine, rivals=rivals, posted=subject("mine-posted"), safety=safety,
        verdict=make_verdict(safety, base.speed, mine, "mine-posted"),
    )  # fmt: skip


def hostile() -> Review:
    """The same, with a stranger's text in each place that a file or a plugin fills."""
    base = review(unsafe=True)
    step = Step(1, HOSTILE, HOSTILE, HOSTILE, "yes", (HOSTILE,))
    freed = Freed(HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE)
    states = States(((HOSTILE, HOSTILE),), (HOSTILE,), (((0, HOSTILE),),), (freed,))
    bad = Trace((HOSTILE,), (step,), (HOSTILE,), (0,), states=states)
    violation = replace(base.safety.violations[0], trace=bad, text=HOSTILE)
    mail = PATCH.replace(b"mm: look again", HOSTILE.encode())
    mail = mail.replace(b"A. U. Thor", HOSTILE.partition(" Tested")[0].encode())
    layer = Layer(HOSTILE, HOSTILE)
    bad_guard = replace(base.safety.guards[0], name=HOSTILE, function=HOSTILE, layer=layer)
    races = dict.fromkeys(base.safety.races, HOSTILE)
    safety = replace(base.safety, violations=(violation,), guards=(bad_guard,), races=races)
    reason = replace(base.speed.reasons[0], aborts=(Abort("x", HOSTILE, 1.0),))
    answer = Answer(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), HOSTILE)
    variant = Subject(
        "mine", HOSTILE, HOSTILE, HOSTILE, HOSTILE, (layer, Layer("x", "2/2: y")),
        (Mended((HOSTILE,), HOSTILE, HOSTILE),),
    )  # fmt: skip
    return replace(
        base, variant=variant, posted=replace(variant, name="mine-posted"), patch=patch_review(mail), safety=safety, questions=(answer,),
        speed=replace(base.speed, reasons=(reason,)), notes=(HOSTILE,), not_run=(HOSTILE,),
        limits=(HOSTILE, "--- a/file", "diff --git a b", "- item", "1. item", "> quoted", "# title"),
        machine=Machine(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), HOSTILE),
    )  # fmt: skip
