"""Nodes of the VMA tree: a stack that grows replaces one, a reader of /proc/pid/maps is in one."""

from __future__ import annotations

from spfvar.explore.world import build_race, extract_race
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.scenario.race import Race
from spfvar.toml_input import parse_toml
from tests.mm.race_runs import RaceRun
from tests.stacks import stack

STACK = """
[[vma]]
name = "stack"
start = 0
pages = 2
growsdown = true

[[actor]]
name = "grow"
program = [{ store = "stack" }]

[[actor]]
name = "reader"
program = [{ maps = "stack" }]
"""
FIX, ROT, RCU = "r11-write@mmap-lock", "r11@mmap-lock", "r11-rcu@mmap-lock"


def life(run: RaceRun, node: int) -> int:
    """Whether a node is in use."""
    layout = run.world.layout
    word = layout.class_base(o.MAPLE_NODE) + node * layout.class_stride[o.MAPLE_NODE]
    return int(run.walker.state[word])


def test_a_stack_that_grows_puts_a_new_node_into_the_tree() -> None:
    """It is allocated, linked, and only then the old one is given to RCU; vm_start was set before."""
    run = RaceRun(STACK, FIX)
    assert (run.word(o.MA_ROOT), life(run, 0)) == (1, c.LIVE)
    names = run.thread()
    assert names[names.index("mas_pop_node") - 1 :][:4] == [
        "load(mm->ma_root)", "mas_pop_node", "store new_node(mm->ma_root)", "ma_free_rcu",
    ]  # fmt: skip
    assert run.word(o.MA_ROOT) == 2
    assert (life(run, 0), life(run, 1)) == (c.PENDING_NEXT, c.LIVE)


def test_a_second_fault_replaces_nothing() -> None:
    """The stack is there already."""
    run = RaceRun(STACK.replace('"grow"\n', '"grow"\ncount = 2\n'), ROT)
    run.thread(0, until="spin_lock")
    run.thread(1)
    assert "mas_pop_node" not in run.thread(0)
    assert run.word(o.MA_ROOT) == 2


def test_a_reader_under_mmap_lock_keeps_a_writer_out_and_no_reader() -> None:
    """The fix waits for the lock; before it, the node goes while somebody is in it."""
    run = RaceRun(STACK, FIX)
    run.thread(1, until="load(mas_node->slot)")
    assert run.thread(0)[-1] == "blocked"
    run = RaceRun(STACK, ROT)
    run.thread(1, until="load(mas_node->slot)")
    assert "ma_free_rcu" in run.thread(0)


def test_a_reader_in_an_rcu_section_keeps_the_node() -> None:
    """It is in one from before it has fetched the node until it has found the VMA."""
    names = RaceRun(STACK, RCU).thread(1)
    section = names[names.index("rcu_read_lock()") : names.index("rcu_read_unlock()") + 1]
    assert section[:4] == ["rcu_read_lock()", "load(mm->ma_root)", "load(mas_node->slot)", "m_next"]


def test_where_nobody_replaces_nodes_there_are_none() -> None:
    """Shipped designs have none in any race; a reader alone has none to look into."""
    race: Race = parse_toml('kind = "race"\ntitle = "t"\nproperties = ["P5"]\n' + STACK, "race.toml", Race)
    assert build_race(race, stack("per-vma-6.12")).layout.sizes.nodes == 0
    reader = race.model_copy(update={"actor": race.actor[1:]})
    assert any(op.place is not None and op.place.field == o.MA_SLOT
               for op in extract_race(reader, stack(FIX))["reader"].ops())  # fmt: skip
    assert build_race(reader, stack(FIX)).layout.sizes.nodes == 0
