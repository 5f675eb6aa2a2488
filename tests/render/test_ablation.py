"""Ablations as text, mail, markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from spfvar.explore.guards import Guard
from spfvar.matrix.ablate import Ablated, Ablation, Break
from spfvar.render.ablation import (
    render_json,
    render_mail,
    render_markdown,
    render_text,
    title_of,
    use_of,
)

REPRODUCE = "spfvar ablate spf-do-fault --race 'munmap-*' --race recycled-vma --format mail"
LOCK = Guard("pte_map_lock", "lock", "spin_trylock(page_table->ptl)", "/far/away/spf_patches.py:227")
CHECK = Guard("do_fault", "check", "mmap_seq_read_check(mm->mmap_seq)", "/far/away/spf_patches.py:298")
USED = Ablation(
    CHECK,
    breaks=[
        Break(53, "munmap-file", "P2", "access to a recycled object"),
        Break(60, "heap", "P6", "a page-table entry is left where nothing is mapped"),
        Break(61, "munmap-cow", "P2", "access to a recycled object"),
        Break(70, "munmap-uncached", "P2", "access to a recycled object"),
    ],
    holds=["mprotect"],
)
UNUSED = Ablation(LOCK, holds=["madvise", "mprotect"])


def ablated(*guards: Ablation, broken: dict[str, str] | None = None) -> Ablated:
    """Guards of one variant in four races."""
    return Ablated(guards, 4, broken or {})


BOTH = ablated(USED, UNUSED, broken={"recycled-vma": "P1"})


def test_a_needed_guard_names_its_shortest_break_and_the_others_by_property() -> None:
    """Each race is named once."""
    assert use_of(USED) == (
        "P2 in munmap-file, 53 steps: access to a recycled object; "
        "also P6: heap; also P2: munmap-cow, munmap-uncached"
    )


@pytest.mark.parametrize(
    ("ablation", "text"),
    [
        (Ablation(LOCK, holds=["a", "b"]), "not needed in any of the 2 races that come by it"),
        (Ablation(LOCK, holds=["a"]), "not needed in the one race that comes by it"),
        (
            Ablation(LOCK, holds=["a", "b"], idle=["a"]),
            "not needed in any of the 2 races that come by it",
        ),
        (
            Ablation(LOCK, holds=["a", "b"], idle=["a", "b"]),
            "not needed in any of the 2 races that come by it; it never fails there",
        ),
        (
            Ablation(LOCK, holds=["a"], idle=["a"]),
            "not needed in the one race that comes by it; it never fails",
        ),
        (Ablation(LOCK, incomplete=["a", "b"]), "left open: a, b"),
        (
            Ablation(LOCK, holds=["a"], incomplete=["b"]),
            "not needed in the one race whose search was complete; left open: b",
        ),
        (
            Ablation(LOCK, holds=["a", "c"], incomplete=["b"]),
            "not needed in any of the 2 races whose searches were complete; left open: b",
        ),
        (
            Ablation(LOCK, breaks=[Break(3, "a", "P1", "gone")], incomplete=["b"]),
            "P1 in a, 3 steps: gone; left open: b",
        ),
    ],
)
def test_what_is_not_needed_and_what_is_left_open_are_different_things(ablation: Ablation, text: str) -> None:
    """A race whose search hit a bound is never counted as one that does without the guard."""
    assert use_of(ablation) == text


def test_the_title_counts_guards_needed_ones_and_races() -> None:
    """One of two is needed; one is no plural."""
    assert title_of("spf", BOTH) == "spf: 2 guards, 1 of them needed in 4 races"
    assert title_of("spf", Ablated((USED,), 1, {})) == "spf: 1 guard, 1 of them needed in 1 race"


def test_text_groups_by_function_and_explains_what_breaks() -> None:
    """The line of each guard, the properties that occur, races left out, the footer, the command."""
    text = render_text("spf", BOTH, REPRODUCE)
    assert text.index("do_fault()") < text.index("check: mmap_seq") < text.index("pte_map_lock()")
    assert "(spf_patches.py:298)" in text
    assert "/far/away" not in text
    assert "\nP2: nobody looks at a freed file" in text
    assert "\nP6: " in text
    assert "\nP1: " not in text  # nothing but the race that was left out
    assert "Left out, for they break with every guard in place: recycled-vma (P1)." in text
    assert "sequentially consistent" in text
    assert f"Reproduce: {REPRODUCE[:50]}" in text
    assert max(map(len, text.splitlines())) <= 80


def test_mail_is_ascii_in_72_columns() -> None:
    """Whatever a plugin's text is called."""
    odd = Ablation(Guard("naïve", "check", "µ-check", "/x.py:1"), holds=["a"])
    text = render_mail("spf", ablated(USED, odd, UNUSED), REPRODUCE)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 72


def test_markdown_is_one_table_with_a_row_per_guard() -> None:
    """A bar in a name does not end its cell."""
    bar = Ablation(Guard("f", "check", "a || b", "/x.py:1"), holds=["a"])
    lines = render_markdown("spf", ablated(USED, UNUSED, bar), REPRODUCE).splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == 2 + 3
    assert all(row.replace("\\|", "").count("|") == 4 for row in rows)


def test_json_has_an_entry_per_guard_that_does_not_depend_on_where_it_is_installed() -> None:
    """What breaks, what holds, what never fails and what is left open are lists of their own."""
    (used, unused) = json.loads(render_json("spf", BOTH))
    assert used["where"] == "spf_patches.py:298"
    assert used["breaks"][0] == {
        "race": "munmap-file",
        "property": "P2",
        "steps": 53,
        "what": "access to a recycled object",
    }
    assert unused == {
        "variant": "spf",
        "function": "pte_map_lock",
        "kind": "lock",
        "guard": "spin_trylock(page_table->ptl)",
        "where": "spf_patches.py:227",
        "core": False,
        "breaks": [],
        "holds": ["madvise", "mprotect"],
        "never_fails": [],
        "alike": [],
        "incomplete": [],
        "hunted": None,
        "calls": [],
    }


def test_a_variant_without_guards_says_so() -> None:
    """Nothing to list is a result too."""
    assert render_text("spf", ablated(), REPRODUCE).startswith("spf: 0 guards, 0 of them needed in 4 races\n")
    assert render_json("spf", ablated()) == "[]\n"


def of_core(function: str, breaks: bool) -> Ablation:
    """A guard in a text that comes with spfvar."""
    guard = Guard(function, "lock", "spin_lock(mm->pmd_lock)", "/far/away/khugepaged.py:7")
    found = [Break(9, "retract-munmap", "P4", "gone")] if breaks else []
    return Ablation(guard, found, [] if breaks else ["retract-munmap"], core=True)


MIXED = ablated(of_core("collapse_file", True), USED, of_core("retract_page_tables", False))


@pytest.mark.parametrize("render", [render_text, render_mail, render_markdown])
def test_guards_of_the_core_follow_if_they_are_asked_for(render: Callable[..., str]) -> None:
    """Otherwise they are counted, and so are their properties left out; JSON has them in any case."""
    text = " ".join(render("spf", MIXED, REPRODUCE).split())
    assert text.startswith(("spf: 3 guards, 2 of them needed", "## spf: 3 guards, 2 of them needed"))
    assert (
        "2 guards, 1 of them needed, are in texts of the core that the variant runs (khugepaged.py)" in text
    )
    assert "pmd_lock" not in text
    assert "P4:" not in text
    every = " ".join(render("spf", MIXED, REPRODUCE, every=True).split())
    assert (
        every.index("mmap_seq_read_check") < every.index("collapse_file") < every.index("retract_page_tables")
    )
    assert "--all lists them" not in every
    assert [entry["core"] for entry in json.loads(render_json("spf", MIXED))] == [True, False, True]


def test_a_variant_that_is_its_core_lists_all_of_it() -> None:
    """There is nothing else to list."""
    text = render_text("mmap-lock", ablated(of_core("collapse_file", True)), REPRODUCE)
    assert "\ncollapse_file()\n" in text
    assert "--all lists them" not in text
