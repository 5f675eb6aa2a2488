"""The file of a run: it gives back what was saved, and whatever is wrong with one is said with its line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.matrix.runfile import checksum, load_run, parse_run, run_text
from tests.matrix.made_runs import changed, made_run, shown

quick = settings(deadline=None, max_examples=5)
many = settings(deadline=None, max_examples=60)
TEXT = run_text(made_run(Random(1)))
LINES = [json.loads(line) for line in TEXT.splitlines()]


def line_of(kind: str, nth: int = 0) -> int:
    """The number of the first line of a kind, or of a later one."""
    return [i for i, line in enumerate(LINES, 1) if line["kind"] == kind][nth]


CELL = next(i for i, line in enumerate(LINES, 1) if line["kind"] == "cell" and "metrics" in line)


def refusal(text: str) -> InputError:
    """The error that a text is answered with."""
    with pytest.raises(InputError) as caught:
        parse_run(text, "r.jsonl")
    return caught.value


@quick
@given(st.integers(0, 1 << 32), st.sampled_from([0, 3]))
def test_what_is_saved_and_loaded_shows_the_same_bytes(seed: int, draws: int) -> None:
    """In every form, with all metrics, of seeds or of draws; and saved again it is the same file."""
    run = made_run(Random(seed), draws)
    text = run_text(run)
    again = parse_run(text, "r.jsonl")
    assert run_text(again) == text
    assert again.plan.matrix_hash == run.plan.matrix_hash
    assert shown(again) == shown(run)


def test_a_run_is_one_ascii_line_per_part() -> None:
    """Header, profile, scenarios, variants, cells in the plan's order, and the end."""
    assert TEXT.isascii()
    kinds = [line["kind"] for line in LINES]
    # pft has one other axis with one value, file-cow two hit rates: (1 + 2) * 2 thread counts, 3 variants.
    assert kinds == ["spfvar-run", "profile", *["scenario"] * 2, *["variant"] * 3, *["cell"] * 18, "end"]
    assert LINES[0]["format"] == 1
    assert LINES[0]["seeds"] == [[1, 3]]


@many
@given(st.integers(0, len(TEXT) - 1), st.characters(min_codepoint=32, max_codepoint=126))
def test_no_changed_character_goes_unnoticed(offset: int, char: str) -> None:
    """Wherever it is, it is an InputError that names the file, and no other exception."""
    text = TEXT[:offset] + char + TEXT[offset + 1 :]
    if text != TEXT:
        assert str(refusal(text)).startswith("r.jsonl")


@many
@given(st.integers(0, len(TEXT) - 1))
def test_a_file_that_was_cut_off_is_noticed(length: int) -> None:
    """At every length."""
    assert str(refusal(TEXT[:length])).startswith("r.jsonl")


@many
@given(st.integers(1, len(LINES) - 1), st.data())
def test_any_value_in_the_place_of_another(line: int, data: st.DataObject) -> None:
    """With a checksum that fits, it is read and shown, or it is an InputError; never another exception."""
    junk: Any = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.just(-1.0)
        | st.just(5e-324)
        | st.text(max_size=5)
        | st.just(10**400),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )

    def change(here: Any) -> None:
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            key = data.draw(st.sampled_from(keys))
            if isinstance(here[key], dict | list) and here[key] and data.draw(st.booleans()):
                here = here[key]
                continue
            here[key] = data.draw(junk)
            return

    text = changed(TEXT, line, change)
    with contextlib.suppress(InputError):
        shown(parse_run(text, "r.jsonl"))


def setting(**values: object) -> Callable[[dict[str, object]], None]:
    """A change of a line's keys."""
    return lambda line: line.update(values)


@pytest.mark.parametrize(
    ("line", "change", "says"),
    [
        (1, setting(kind="verdicts"), "r.jsonl: is not a saved run; expected a file written by"),
        (1, setting(format=2), "r.jsonl:1: a run of format 2; expected format 1; a newer spfvar may read it"),
        (1, setting(seeds=[[1]]), "r.jsonl:1: seeds[0]: not a range of seeds; expected [first, how many]"),
        (1, setting(baseline="mmap_lock"), "r.jsonl:1: baseline: unknown baseline 'mmap_lock': did you mean"),
        (1, setting(baselin="x"), "r.jsonl:1: baselin: unknown key;"),
        (2, setting(kind="profil"), "r.jsonl:2: kind: unknown kind of line 'profil': did you mean 'profile'?"),
        (2, setting(profile={}), "r.jsonl:2: profile.title: required key is missing (and"),
        (3, setting(kind="profile", profile=LINES[1]["profile"]), "r.jsonl:3: name: unknown key"),
        (line_of("variant", 1), setting(name="mmap-lock"), "a second line of this kind: variant"),
        (CELL, setting(variant="spf"), f"r.jsonl:{CELL}: variant: unknown variant 'spf'"),
        (CELL, setting(scenario="file"), f"r.jsonl:{CELL}: scenario: unknown scenario 'file'"),
        (CELL, setting(axes={"threads": 1}), f"r.jsonl:{CELL}: axes: other axes than the scenario's; expected"),
        (CELL, setting(seeds=[1, 1, 2]), f"r.jsonl:{CELL}: seeds: seeds out of order; expected each once"),
        (CELL, setting(seeds=[1, 2, 4]), f"r.jsonl:{CELL}: seeds: seed 4 is not among those that line 1 names"),
        (CELL, setting(seeds=[]), f"r.jsonl:{CELL}: seeds: a cell has either samples or a reason why"),
        (CELL, setting(failure="deadlock"), f"r.jsonl:{CELL}: seeds: a cell has either samples or a reason"),
        (CELL, setting(events={"own": [1.0]}), f"r.jsonl:{CELL}: events.own: 1 values; expected 3, one per seed"),
        (CELL, setting(metrics={"fault_p5": [1.0, 1.0, 1.0]}), "unknown metric 'fault_p5': did you mean 'fault_p50'"),
        (CELL, setting(metrics={"fault_p50": [1, 2, "3"]}), 'metrics.fault_p50[2]: found "3"; expected'),
        (CELL, setting(metrics={"fault_p50": [1, 2, float("nan")]}), "metrics.fault_p50[2]:"),
        (CELL, setting(metrics={"fault_p50": [1, 2, float("inf")]}), "metrics.fault_p50[2]:"),
        (CELL, setting(metrics={"fault_p50": [1, 2, -3]}),
         f"r.jsonl:{CELL}: metrics.fault_p50[2]: found -3; expected null, or a figure from 0 to 1e+30"),
        (CELL, setting(metrics={"fault_p50": [1e300, 2, 3]}), "metrics.fault_p50[0]: found 1e+300; expected null, or"),
        (CELL, setting(metrics={"faults_per_s": [5e-324, 2, 3]}), "metrics.faults_per_s[0]: found 4.94066e-324"),
        (CELL, setting(metrics={"spec_success": [0, 1, 1.5]}),
         "metrics.spec_success[2]: found 1.5; expected null, or a figure from 0 to 1"),
        (CELL, setting(metrics={}), f"r.jsonl:{CELL}: metrics: seeds without a single figure; expected at least one"),
        (CELL, setting(events={"own": [1.0, -1.0, 0.0]}), f"r.jsonl:{CELL}: events.own[1]: found -1; expected"),
        (CELL, setting(events={"own": [1.0, float("inf"), 0.0]}), f"r.jsonl:{CELL}: events.own[1]:"),
        (1, setting(seeds=[[1, 3], [1 << 63, 1]]), "r.jsonl:1: seeds[1]: not a range of seeds"),
        (1, setting(hardware="\x1b[31m"), "r.jsonl:1: hardware: found the character \\x1b; expected text that can"),
        (line_of("variant"), setting(title="safe\u202e"), "title: found the character \\u202e"),
        (CELL + 1, lambda line: line.update(LINES[CELL - 1]), "mmap-lock in file-cow is here twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_line_and_key(
    line: int, change: Callable[[dict[str, object]], None], says: str
) -> None:
    """One line for each kind of fault, in a file whose checksum fits."""
    message = str(refusal(changed(TEXT, line, change)))
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (2, "2 is no share; expected a number from 0 to 1"),
        (10**400, "an integer of 1329 bits is no number; expected a share"),  # 400 log2(10) = 1328.8
    ],
)
def test_an_axis_value_that_is_none_is_named(value: int, says: str) -> None:
    """As it would be on the command line."""
    axes = {**LINES[CELL - 1]["axes"], "hit_rate": value}
    message = str(refusal(changed(TEXT, CELL, setting(axes=axes))))
    assert f"r.jsonl:{CELL}: axes: {says}" in message


def without(kind: str) -> str:
    """The file without the lines of a kind, with a checksum that fits."""
    body = "".join(f"{json.dumps(line)}\n" for line in LINES[:-1] if line["kind"] != kind)
    return body + json.dumps({"kind": "end", "sha256": checksum(body)}) + "\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "r.jsonl: the file is empty; expected a file written by spfvar compare --save"),
        ("SIMULATED on skylake\n", "r.jsonl: is not a saved run"),
        ("[" * 100_000, "r.jsonl: is not a saved run"),
        (TEXT.replace('{"kind": "profile"', '{"kind": "profile",,'), "r.jsonl:2:20: invalid JSON: "),
        (TEXT.replace('{"kind": "profile"', '["profile", {'), "r.jsonl:2:"),
        (TEXT.replace("\n", "\n\n", 1), "r.jsonl:2: the file ends too early"),
        (TEXT + "more", f"r.jsonl:{len(LINES) + 1}: text behind the end line"),
        (TEXT[:-1], "text behind the end line"),
        (TEXT.replace('"seeds": [1, 2, 3]', '"seeds": [1, 2, 3 ]', 1), "have been changed since they were written"),
        (without("cell"), "r.jsonl: has no cells"),
        (without("profile"), "r.jsonl: has no hardware profile"),
        (without("variant"), "unknown variant 'mmap-lock'; known: none"),
    ],
)  # fmt: skip
def test_no_run_or_a_damaged_one(text: str, says: str) -> None:
    """What the text is instead, and in which line."""
    assert says in str(refusal(text))


def test_files_are_read_as_they_are(tmp_path: Path) -> None:
    """A good file, one that is not UTF-8, and none."""
    path = tmp_path / "r.jsonl"
    path.write_text(TEXT)
    assert run_text(load_run(str(path))) == TEXT
    path.write_bytes(b"\n\xff")
    with pytest.raises(InputError, match=r"r\.jsonl:2: is not a saved run: not UTF-8"):
        load_run(str(path))
    for name, why in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        with pytest.raises(InputError, match=why):
            load_run(str(name))
