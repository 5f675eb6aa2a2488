"""`spfvar hunt`: what it prints, what it saves, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import spfvar as run

SMALL = ("--start", "anon", "--verbs", "store,munmap")


def test_a_safe_design_is_told_so_with_the_number_of_races() -> None:
    """Exit code 0; a line that can be run again."""
    result = run("hunt", "spf-anon", *SMALL)
    assert result.code == 0
    assert result.out.startswith("spf-anon: nothing found in ")
    assert "generated races of up to 2 statements" in " ".join(result.out.split())
    assert "Reproduce: spfvar hunt spf-anon --start anon --verbs store,munmap" in " ".join(result.out.split())


def test_a_bug_is_found_reduced_and_saved_as_a_race_that_check_takes(tmp_path: Path) -> None:
    """S5's own race was written by hand: a store against munmap.  Exit code 1, as that of `check` on the file."""
    folder = tmp_path / "found"
    result = run("hunt", "s5@spf-anon", *SMALL, "--save", str(folder))
    assert result.code == 1
    assert "s5@spf-anon, store-munmap: P4" in " ".join(result.out.split())
    assert "=> " in result.out  # what is wrong, below the steps
    (saved,) = folder.iterdir()
    assert saved.name == "s5-spf-anon-store-munmap.toml"
    checked = run("check", "s5@spf-anon", "--race", str(saved))
    assert checked.code == 1
    assert "P4" in checked.out
    assert run("check", "spf-anon", "--race", str(saved)).code == 0


def test_json_has_an_entry_for_each_design_and_the_same_bytes_again() -> None:
    """All but the seconds."""
    results = [
        json.loads(run("hunt", "s5@spf-anon", "mmap-lock", *SMALL, "--format", "json").out) for _ in range(2)
    ]
    for one in [*results[0], *results[1]]:
        del one["seconds"]
    assert results[0] == results[1]
    broken, safe = results[0]
    assert (broken["variant"], safe["variant"]) == ("s5@spf-anon", "mmap-lock")
    assert safe["findings"] == []
    assert broken["complete"] is safe["complete"] is True
    (finding,) = broken["findings"]
    assert finding["property"] == "P4"
    assert finding["program"] == ["store map", "munmap map"]
    assert finding["race"]["vma"] == [{"name": "map", "start": 0}]
    assert finding["token"].startswith("s5@spf-anon:store-munmap:")
    assert "unreached" in broken


def test_against_leaves_out_what_the_other_design_breaks_too() -> None:
    """What S4 and S5 break, a store against munmap, is nothing new in S4."""
    assert run("hunt", "s4@spf-anon", *SMALL).code == 1
    result = run("hunt", "s4@spf-anon", *SMALL, "--against", "s5@spf-anon")
    assert result.code == 0
    assert "that break the other design, too, left out" in " ".join(result.out.split())


def test_against_runs_only_races_that_can_tell_the_designs_apart() -> None:
    """A design against itself has none; a patch of munmap none without munmap; each is still counted."""
    itself = " ".join(run("hunt", "s5@spf-anon", *SMALL, "--against", "s5@spf-anon").out.split())
    assert "nothing found in 0 generated races" in itself
    assert "24 more that it cannot tell apart or that are the same in s5@spf-anon" in itself
    stores = ("--start", "anon", "--verbs", "store")
    assert " in 0 generated races" in run("hunt", "b1@bonsai", *stores, "--against", "bonsai").out
    assert run("hunt", "s5@spf-anon", *SMALL, "--against", "spf-anon").code == 1


def test_a_seed_shuffles_the_races_and_all_of_them_are_run() -> None:
    """The order makes no difference to what there is."""
    plain, mixed = (
        run("hunt", "mmap-lock", *SMALL, *more).out.split(" (")[0] for more in ((), ("--seed", "3"))
    )
    assert plain == mixed


def test_time_that_runs_out_is_told() -> None:
    """Exit code 3: nothing was found, and not everything was searched."""
    result = run("hunt", "mmap-lock", "--start", "heap", "--seconds", "0.000001")
    assert result.code == 3
    assert ", incomplete" in " ".join(result.out.split())


def test_a_sample_is_said_to_be_one_and_is_done() -> None:
    """Exit code 0: as many races as were asked for were searched, and nothing broke."""
    result = run("hunt", "mmap-lock", "--size", "3", "--start", "heap", "--seed", "1", "--races", "50")
    assert result.code == 0
    assert "of up to 3 statements, a sample (" in " ".join(result.out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "1"), "--size: 1 statements; expected 2 to"),
        (("--actors", "1"), "--actors: 1 actors; expected 2 to 4"),
        (("--verbs", "munmpa"), "--verbs: unknown verb 'munmpa': did you mean 'munmap'?"),
        (("--start", "anno"), "--start: unknown memory 'anno': did you mean 'anon'?"),
        (("--seconds", "0"), "--seconds: 0.0 seconds; expected more than 0"),
        (("--races", "0"), "--races: 0 races; expected 1 or more"),
        (("--against", "mmap-lokc"), "unknown variant 'mmap-lokc'"),
    ],
)
def test_bad_input_is_one_message(arguments: tuple[str, ...], message: str) -> None:
    """What, where, what was expected."""
    result = run("hunt", "mmap-lock", *arguments)
    assert result.code == 2
    assert message in result.err
    assert not result.out
