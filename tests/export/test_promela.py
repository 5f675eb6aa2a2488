"""SPIN as a referee: it has to reach the explorer's verdicts, and its states, from a text of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from spfvar.automata.automaton import Automaton, Node
from spfvar.errors import InputError
from spfvar.explore.explore import Exploration, explore
from spfvar.explore.options import Options
from spfvar.explore.world import RaceWorld, build_race, build_world, extract_race
from spfvar.export import spin, steps
from spfvar.export.promela import promela
from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.ops.primitives import bug_on
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race
from spfvar.toml_input import parse_toml
from tests.cli.running import Answer, spfvar

#: Larger races are left to the explorer, and to whoever has time for SPIN.
MAX_STATES = 30_000
needs_spin = pytest.mark.skipif(bool(spin.missing()), reason=f"there is no {spin.missing()}")
#: One variant of each design; each race is judged under these.
DIFFERENT = ("mmap-lock", "per-vma-refcnt", "spf-do-fault")
#: What `make test` takes of races and twins; SPFVAR_FULL=1 takes all of them (minutes).
FULL = bool(os.environ.get("SPFVAR_FULL"))
SHIPPED = [name for name in catalogue.races().names() if catalogue.races().is_shipped(name)]
#: Few and small, and together they execute every primitive, with every outcome, that any of them does.
SAMPLE = (
    ("exit-ksm", "mmap-lock"),
    ("fork-fails-unuse", "per-vma-6.12"),
    ("fork-fault", "mmap-lock"),
    ("heap", "per-vma-refcnt"),
    ("lazy-madvise", "mmap-lock"),
    ("lazy-map-over", "spf-v2"),
    ("lazy-retract", "mmap-lock"),
    ("maps-munmap", "spf-do-fault"),
    ("merge-out-of-memory", "mmap-lock"),
    ("migrate-reclaim", "mmap-lock"),
    ("migrate-smaps", "mmap-lock"),
    ("mprotect-back", "spf-do-fault"),
    ("mremap-destination", "mmap-lock"),
    ("munmap-cow", "spf-do-fault"),
    ("munmap-cow", "spf-zijlstra-2014"),
    ("munmap-anon", "radixvm"),
    ("munmap-file", "range-lock"),
    ("pin-fork", "mmap-lock"),
    ("pin-ksm", "mmap-lock"),
    ("pin-swapout", "mmap-lock"),
    ("poke-madvise", "mmap-lock"),
    ("reclaim-anon", "mmap-lock"),
    ("reclaim-cow", "mmap-lock"),
    ("retract-munmap", "per-vma-refcnt"),
    ("retract-truncate", "mmap-lock"),
    ("truncate-around", "mmap-lock"),
    ("truncate-folio", "mmap-lock"),
    ("two-copies", "mmap-lock"),
)
CASES = [(race, variant) for race in SHIPPED for variant in DIFFERENT] if FULL else SAMPLE
#: A page too early, an entry too late, a deadlock, an object that is gone, a slot used again, a tree that is gone, a
#: flush that passes by.
TWINS = (
    "c1@mmap-lock",
    "c2@mmap-lock",
    "c3@mmap-lock",
    "f1@mmap-lock",
    "k1@per-vma-6.12",
    "r11@mmap-lock",
    "s3@spf-anon",
    "v5@per-vma-6.12",
    "x1@mmap-lock",
    "x11@mmap-lock",
    "x12@mmap-lock",
    "x18@per-vma-6.12",
    "x30@mmap-lock",
)
#: Opcodes that only simulated loads use.
SIMULATED = {"FRESH_RANGE"}


@cache
def registry() -> Registry:
    """The built-in variants and twins."""
    return load_registry()


@cache
def stack(variant: str) -> Stack:
    """A variant's or a twin's hook points."""
    return Stack(registry().any_variant(variant))


@cache
def world(race: str, variant: str) -> RaceWorld:
    """A race under a variant or a twin."""
    races = catalogue.races()
    return build_race(races[races.add_file(race) if race.endswith(".toml") else race], stack(variant))


def without(automaton: Automaton, chosen: Callable[[Op], bool]) -> Automaton:
    """The automaton with nothing in the place of the chosen ops; a test's last outcome is "true"."""
    nodes = tuple(
        Node(Op(c.NOP, f"no {node.op.name}"), (node.successors[-1],)) if chosen(node.op) else node
        for node in automaton.nodes
    )
    return Automaton(automaton.name, nodes)


def opcodes() -> Iterator[str]:
    """Every opcode's name."""
    return (name for code, name in c.NAMES.items() if name not in ("END", "NAMES") and code <= c.WRITE_CR3)


def reached(world: RaceWorld, found: Exploration) -> set[int]:
    """Every node that the search got to."""
    table = world.program.table
    nodes = {int(entry) for entry in world.program.entry.values()}
    for way in np.flatnonzero(found.covered):
        nodes.add(int(table[way // c.MAX_OUTCOMES, c.C_SUCC + way % c.MAX_OUTCOMES]))
    return nodes


def rows_of(world: RaceWorld, found: Exploration) -> npt.NDArray[np.int32]:
    """Every state of a search, a row of words each: memory, then the threads."""
    space, fields = found.search.space, found.search.rules.fields
    parts = [
        (space.keys.rows[: found.states, fields[i, 0]] >> fields[i, 1]) & fields[i, 2]
        for i in range(world.threads + 1)
    ]
    lanes = [space.memories.rows[parts[-1] - 1], *(space.threads.rows[part] for part in parts[:-1])]
    return np.ascontiguousarray(np.hstack(lanes)).view(np.int16).astype(np.int32)


def distinct(world: RaceWorld, found: Exploration) -> npt.NDArray[np.int32]:
    """The search's states without what makes no difference.

    That is: the kind and successor in a queue of a thread that is in none, and which of two numbers the
    current phase of RCU, or of SRCU, has; a grace period is then known by the readers that it waits for.
    """
    g, layout = world.layout.g, world.layout
    rows = rows_of(world, found)
    phase = rows[:, g[c.G_RCU]].copy()
    for thread in range(world.threads):
        base = layout.thread_base(thread)
        moving = rows[:, base + c.T_WAIT] != 1
        rows[moving, base + c.T_WNEXT] = 0
        rows[moving, base + c.T_WKIND] = 0
        old = (rows[:, base + c.T_RCU_PHASE] != phase) & (rows[:, base + c.T_RCU_NEST] > 0)
        rows[:, base + c.T_RCU_PHASE] = old
    rows[:, g[c.G_RCU] : g[c.G_RCU] + 3] = 0
    if srcu := int(g[c.G_SRCU]):
        indices = {op.dst for op in world.program.ops if op.code == c.SRCU_READ_LOCK and op.dst is not None}
        for word in (layout.thread_word(n, index) for n in range(world.threads) for index in indices):
            old = rows[:, word] - 1 != rows[:, srcu]
            rows[:, word] = np.where(rows[:, word] > 0, 1 + old, 0)
        rows[:, srcu : srcu + 3] = 0
    states: npt.NDArray[np.int32] = np.unique(rows, axis=0)
    return states


def at_rest(world: RaceWorld, states: npt.NDArray[np.int32]) -> int:
    """States in which every thread has ended and no callback is left."""
    op = world.program.table[:, c.C_OP]
    ended = np.ones(len(states), dtype=bool)
    for thread in range(world.threads):
        code = op[states[:, world.layout.thread_base(thread)]]
        ended &= (code == c.END) | (code == c.RCU_GP_START)
    return int((ended & (states[:, world.layout.g[c.G_RCU] + 4] == 0)).sum())


def verdict(found: Exploration, errors: tuple[str, ...]) -> None:
    """SPIN stops at its first violation, which has to be one of ours; if there is none, it finds none."""
    if not found.violations:
        assert errors == ()
        return
    assert len(errors) == 1
    number = re.fullmatch(r"assertion violated \(violation!=(\d+)\)", errors[0])
    assert number is not None or errors[0] == "invalid end state"
    code = int(number[1]) if number is not None else c.V_DEADLOCK
    assert code in {violation.code for violation in found.violations}


def judge(world: RaceWorld, name: str) -> None:
    """Search a race by both.

    SPIN's states are ours, and one more for each in which it has checked what must hold at the end.  Where
    that is too much, both search with reductions, and only the verdicts are compared.
    """
    found = explore(world, Options.plain(first=False, livelock=False, max_states=MAX_STATES))
    plain = found.complete
    if not plain:
        found = explore(world, Options(first=False, livelock=False, max_states=MAX_STATES))
        if not found.complete:
            pytest.skip(f"more than {MAX_STATES} states")
    other = spin.run_spin(promela(world, name, name, reached(world, found)), plain, spin.quick_compiler())
    verdict(found, other.errors)
    if found.violations:
        return
    assert other.complete
    if plain:
        states = distinct(world, found)
        assert other.states == len(states) + at_rest(world, states)
        if len(states) == found.states:
            assert other.transitions == found.transitions + found.ends + 1  # SPIN counts the start


@needs_spin
@pytest.mark.parametrize(("race", "variant"), CASES)
def test_spin_agrees_on_shipped_races(race: str, variant: str) -> None:
    """The same verdict; on a safe race, exactly the same states."""
    judge(world(race, variant), f"{race}@{variant}")


def test_the_sample_executes_every_primitive() -> None:
    """But a load that no text has any more, the simulator's marks, and what only plugins say (tested below)."""
    executed: set[int] = set()
    for race, variant in SAMPLE:
        sample = world(race, variant)
        found = explore(sample, Options(livelock=False))
        executed |= {sample.program.ops[node].code for node in reached(sample, found)}
    assert {c.NAMES[code] for code in steps.TEMPLATES if code not in executed} == {"BUG", "LOAD_TEST", "MARK"}


#: One of each family of designs that `DIFFERENT` has none of; range-lock is in `SAMPLE`, in the same race.
FAMILIES = (
    "bonsai",
    "cortenmm-adv",
    "per-vma-6.12",
    "per-vma-io-retry-vma",
    "radixvm",
    "spf-zijlstra-2014",
)


@needs_spin
@pytest.mark.parametrize("variant", sorted(registry().variants.keys() - set(DIFFERENT)) if FULL else FAMILIES)
def test_spin_agrees_on_the_other_variants(variant: str) -> None:
    """The rest consists of much the same patches."""
    judge(world("munmap-file", variant), f"munmap-file@{variant}")


@needs_spin
@pytest.mark.parametrize("twin", sorted(registry().twins) if FULL else TWINS)
def test_spin_agrees_on_twins(twin: str) -> None:
    """Published bugs and controls."""
    judge(world(registry().twins[twin].race, twin), twin)


GUARDS: dict[str, tuple[str, str, Callable[[Op], bool]]] = {
    "interrupts off": ("munmap-file", "spf-do-fault", lambda op: op.code in (c.IRQ_DISABLE, c.IRQ_ENABLE)),
    "sequence checks": ("munmap-file", "spf-do-fault", lambda op: op.name.startswith("mmap_seq_read_check")),
    "IPI acknowledgements": ("munmap-file", "spf-do-fault", lambda op: op.code == c.IPI_WAIT),
    "unlock": ("munmap-file", "mmap-lock", lambda op: op.code == c.UP_READ),
    "type-safe memory": ("munmap-file", "per-vma-refcnt", lambda op: op.code == c.RCU_READ_LOCK),
}


@needs_spin
@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_spin_agrees_on_a_design_without_a_guard(guard: str) -> None:
    """Primitives replaced by nothing, as if they had succeeded: whatever that breaks, both say the same."""
    race, variant, chosen = GUARDS[guard]
    automata = extract_race(catalogue.races()[race], Stack(registry()[variant]))
    ablated = {name: without(automaton, chosen) for name, automaton in automata.items()}
    assert ablated != automata
    judge(build_world(catalogue.races()[race], ablated), f"{race}@{variant} without {guard}")


def test_every_opcode_has_a_template() -> None:
    """A new primitive needs one, or to be named above."""
    assert [name for name in opcodes() if getattr(c, name) not in steps.TEMPLATES] == sorted(SIMULATED)


def test_an_opcode_without_a_template_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(steps.TEMPLATES, c.ZAP_PTES)
    with pytest.raises(InputError, match=r"munmap-file.*mmap-lock.*ZAP_PTES"):
        promela(world("munmap-file", "mmap-lock"), "mmap-lock", "munmap-file")


def test_the_text_says_what_it_is() -> None:
    """How to run it, the kernel's function at every step, and no C of ours."""
    text = promela(world("munmap-file", "spf-do-fault"), "spf-do-fault", "munmap-file")
    head = text[: text.index("*/")]
    assert "Generated by" in head
    assert "spin -a" in head
    assert "gcc -O2 -DSAFETY" in head
    assert "access to a freed object" in head
    assert "/* do_user_addr_fault: mmap_seq_read_check(mm->mmap_seq) */" in text
    assert "c_code" not in text
    assert "c_expr" not in text


def test_the_same_race_gives_the_same_text() -> None:
    first = promela(world("munmap-cow", "per-vma-6.12"), "v", "r")
    again = build_race(catalogue.races()["munmap-cow"], Stack(registry()["per-vma-6.12"]))
    assert promela(again, "v", "r") == first


def test_export_writes_a_file(tmp_path: Path) -> None:
    target = tmp_path / "model.pml"
    arguments = ["export", "--promela", "mmap-lock", "munmap-file", "-o", str(target)]
    assert spfvar(*arguments) == Answer(0, "", "")
    assert "proctype thread_munmap" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mmap-lock", "munmap-file"], "--promela"),
        (["--promela", "mmap-luck", "munmap-file"], "mmap-lock"),
        (["--promela", "mmap-lock", "munmap-fil"], "munmap-file"),
    ],
)
def test_export_says_what_is_wrong(arguments: list[str], message: str) -> None:
    answer = spfvar("export", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


CONTESTED = """
kind = "race"
title = "two threads map one place; the second actor comes last"
properties = ["P14"]

[[vma]]
name = "map"
start = 0
mapped = false

[[actor]]
name = "maps"
count = 2
program = [{ mmap = "map" }]

[[actor]]
name = "unmaps"
after = "maps"
program = [{ munmap = "map" }]
"""


@needs_spin
def test_spin_agrees_on_contested_places_and_the_order_of_actors() -> None:
    """find_vma_intersection and the wait for another actor, which no shipped race has."""
    race: Race = parse_toml(CONTESTED, "race.toml", Race)
    judge(build_race(race, stack("spf-anon")), "contested@spf-anon")


@needs_spin
def test_spin_agrees_on_sequence_counts_and_assertions() -> None:
    """The one write section that never ends is left at rest; BUG_ON breaks wherever it is reached."""

    def instead(automaton: Automaton, name: str, op: Op) -> Automaton:
        nodes = tuple(
            Node(op, node.successors) if node.op.name.startswith(name) else node for node in automaton.nodes
        )
        return Automaton(automaton.name, nodes)

    race: Race = parse_toml(
        CONTESTED.replace("count = 2\n", "").partition('\n[[actor]]\nname = "unmaps"')[0], "race.toml", Race
    )
    automata = extract_race(race, stack("spf-anon"))
    for op, code in ((Op(c.NOP, "no end"), c.V_SEQUENCE_LEFT), (bug_on("here"), c.V_BUG)):
        changed = {name: instead(one, "write_seqcount_end", op) for name, one in automata.items()}
        changed_world = build_world(race, changed)
        found = explore(changed_world, Options(first=False, livelock=False))
        assert code in {violation.code for violation in found.violations}
        judge(changed_world, f"{c.VIOLATIONS[code]}")
