"""spfvar show VARIANT and spfvar list variants: what a reader sees, and what a wrong option says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spfvar.cli.show_variant import merged
from spfvar.matrix import catalogue
from spfvar.matrix.plan import make_plan
from spfvar.plugins.chosen import compared
from spfvar.plugins.registry import load_registry
from tests.cli.running import spfvar


def shown(*args: str) -> str:
    """The output of a command that works."""
    answer = spfvar(*args)
    assert answer.code == 0, answer.err
    return answer.out


def test_a_variant_is_shown_with_its_family_and_its_main_protocol() -> None:
    """Patches, what it stacks on, and only the steps that are not the core's, within 80 columns."""
    output = shown("show", "spf-map-pages", "-v")
    assert "stacks on: spf-anon" in output
    assert "anon-write fault, where it is unlike the core's" in output
    assert "mmap_seq_read_check()" in output
    assert "free_pgtables():" not in output
    assert max(len(line) for line in output.splitlines()) <= 80


def test_in_short_a_variant_is_its_patches_and_one_hook_point() -> None:
    """One screen; every patch by name; the first hook point in full, the others by their length.

    PteMapLock's hook point has as many steps behind its number as --hook shows below its heading.
    """
    output = shown("show", "spf-anon")
    lines = output.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    words = " ".join(output.split())
    assert "Patches, innermost first: DoHandleMmFault, MmapSeq, RcuVmaFree," in words
    assert output.count("()  [") == 1
    length = int(words.partition("pte_map_lock ")[2].split(",")[0])
    hook = shown("show", "spf-anon", "--hook", "pte_map_lock", "--fault", "anon-write")
    assert hook.splitlines()[0] == "spf-anon: anon-write fault"
    assert hook.count("pte_map_lock()") >= 1
    steps = [line for line in hook.splitlines() if line.startswith("  ")]
    assert 0 < length <= len(steps)


def test_a_diff_in_short_counts_lines_and_shows_the_first_hook_point_that_differs() -> None:
    """vma_mark_detached is one step in either: one line goes, one comes; what --hook names is shown instead."""
    brief = ("show", "per-vma-6.12", "--diff", "per-vma-refcnt", "--writer", "munmap")
    output = shown(*brief)
    assert output.count("\n--- per-vma-refcnt: munmap writer") == 1
    whole = shown(*brief, "-v")
    assert len(output.splitlines()) < len(whole.splitlines())
    assert "vma_mark_detached -" in output
    other = shown(*brief, "--hook", "vma_mark_detached")
    assert "+vma_mark_detached(): store 1(vma->detached)" in other


def test_the_variant_without_patches_shows_the_core() -> None:
    """Every step, each section once."""
    output = shown("show", "mmap-lock", "-v")
    assert "fault_with_mmap_lock():" in output
    assert "file-read fault, the rest as above" in output
    assert output.count("lock_mm_and_find_vma():") == 1


def test_a_kind_of_fault_and_a_writer_are_shown_whole() -> None:
    """Also the steps that are the core's, with the patches' names where there are any."""
    output = shown("show", "per-vma-6.12", "--fault", "file-read", "--writer", "munmap")
    assert output.startswith("per-vma-6.12: file-read fault\n===")
    assert "free_pgtables():" in output
    assert "vma_mark_detached()  [PerVmaWriter]: store 1(vma->detached)" in output


def test_a_diff_collapses_what_agrees() -> None:
    """Through a pipe: one column with signs, the variant that is shown being the new side; what agrees is one line."""
    output = shown("show", "per-vma-6.12", "--diff", "per-vma-refcnt", "--writer", "munmap", "-v")
    head, gap, old, new, *_ = output.splitlines()
    assert (head, gap) == ("per-vma-6.12 (+) against per-vma-refcnt (-)", "")
    assert (old, new) == ("--- per-vma-refcnt: munmap writer", "+++ per-vma-6.12: munmap writer")
    assert "+vma_mark_detached(): store 1(vma->detached)" in output
    assert "-  vma_mark_detached(vma->vm_refcnt)" in output
    assert "free_pgtables(): the same" in output


def test_a_variant_beside_itself_differs_nowhere() -> None:
    """No line has a sign."""
    output = shown("show", "spf-anon", "--diff", "spf-anon", "--fault", "anon-read")
    assert [line for line in output.splitlines()[4:] if line[:1] in ("+", "-")] == []


def test_hook_points_are_merged_in_reading_order() -> None:
    """Those of the right alone stand behind what precedes them there."""
    assert merged(["a", "b", "c"], ["a", "x", "c", "y"]) == ["a", "x", "b", "c", "y"]
    assert merged(["a"], ["x", "a"]) == ["x", "a"]


def test_a_graph_goes_to_the_output_alone() -> None:
    """One digraph, of the kind asked for; anon-write if none is."""
    assert shown("show", "spf-anon", "--dot").startswith('digraph "anon-write fault" {')
    assert shown("show", "spf-anon", "--dot", "--writer", "fork").startswith('digraph "fork writer" {')


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["pft", "--dot"], "unknown variant 'pft'"),
        (["spf-anon", "--hook", "pte_map_lok"], "did you mean"),
        (["spf-anon", "--dot", "--hook", "pte_map_lock"], "--dot or --hook, not both"),
        (["spf-anon", "--fault", "anon"], "unknown kind of fault 'anon'"),
        (["spf-anon", "--diff", "spf-anonn"], "did you mean 'spf-anon'"),
        (["spf-anon", "--dot", "--diff", "mmap-lock"], "--dot or --diff, not both"),
        (["spf-anon", "--dot", "--fault", "anon-read", "--writer", "fork"], "one --fault or one --writer"),
        (["spf-anon", "--format", "toml", "--dot"], "no scenario, race or profile"),
    ],
)
def test_wrong_options_get_one_message(args: list[str], message: str) -> None:
    """Exit code 2, one line that says what was expected."""
    answer = spfvar("show", *args)
    assert answer.code == 2
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1


def test_the_list_shows_what_stacks_on_what() -> None:
    """Further in, behind what it stacks on; JSON says it with the patches that are added."""
    lines = shown("list", "variants").splitlines()
    names = [line.split("  ")[0] if not line.startswith(" ") else line for line in lines]
    assert names[0] == "mmap-lock"
    first = [line for line in lines if line[:8].strip()]  # the others go on with a title
    at = next(i for i, line in enumerate(first) if line.startswith("  spf-anon "))
    assert first[at + 1].startswith("    spf-do-fault ")
    repaired = {name for name, one in load_registry().variants.items() if one.repairs}
    assert " ".join(" ".join(lines).split()).count("(not as posted)") == len(repaired) > 0
    rows: list[dict[str, Any]] = json.loads(shown("list", "variants", "--format", "json"))
    assert {row["name"] for row in rows} == set(load_registry().variants)
    row = next(row for row in rows if row["name"] == "spf-do-fault")
    assert (row["stacks_on"], row["depth"]) == ("spf-anon", 2)
    assert "SpeculativeDoFault" in row["adds"]


@pytest.mark.parametrize("kind", ["scenarios", "variants"])
def test_what_is_compared_only_if_named_has_a_star(kind: str) -> None:
    """As many stars as "default" is false in the JSON form, and the line below says what one means."""
    rows: list[dict[str, Any]] = json.loads(shown("list", kind, "--format", "json"))
    rare = {row["name"] for row in rows if not row["default"]}
    table, _, legend = shown("list", kind).rpartition("\n\n")
    assert legend == "* compared only if named, or with compare --all\n"
    starred = {line.split()[0] for line in table.splitlines() if line.split()[1:2] == ["*"]}
    assert starred == rare
    assert 0 < len(rare) < len(rows)
    assert max(map(len, table.splitlines())) <= 80


def test_the_default_comparison_has_what_has_no_star() -> None:
    """The list speaks of the same default as compare does: those of the catalogue and of the registry."""
    scenarios: list[dict[str, Any]] = json.loads(shown("list", "scenarios", "--format", "json"))
    variants: list[dict[str, Any]] = json.loads(shown("list", "variants", "--format", "json"))
    plan = make_plan(
        load_registry(), catalogue.scenarios(), catalogue.hardware(), variants=compared(load_registry())
    )
    assert {row["name"] for row in variants if row["default"]} == {v.name for v in plan.variants}
    assert {row["name"] for row in scenarios if row["default"]} == {c.load.scenario for c in plan.cells}


def test_a_plugin_that_does_not_load_is_told(tmp_path: Path) -> None:
    """Who asks for its variant would otherwise learn only that nothing is called so."""
    plugin = tmp_path / "my_idea.py"
    plugin.write_text("import no_such_module_anywhere\n")
    answer = spfvar("show", "my-idea", "--plugin", str(plugin))
    assert answer.code == 2
    told, unknown = answer.err.splitlines()
    assert f"{plugin}:1: ModuleNotFoundError: No module named 'no_such_module_anywhere'" in told
    assert "nothing is called 'my-idea'" in unknown


def test_a_repaired_variant_shows_its_repairs_and_its_posted_name() -> None:
    """The bug, what happens without, the class; under the posted name there is nothing to repair."""
    text = " ".join(spfvar("show", "spf-dufour-v12", "-v").out.split())
    assert "Not as posted; repairs (as posted: spfvar show spf-dufour-v12-posted):" in text
    assert "H4: mbind frees a memory policy while a fault reads it (NoPolicyOnVma)" in text
    posted = spfvar("show", "spf-dufour-v12-posted").out
    assert "NoPolicyOnVma" not in posted
    assert "repairs (" not in posted
    assert "H5: a speculative filemap_fault() that gives up" in " ".join(spfvar("show", "spf").out.split())
