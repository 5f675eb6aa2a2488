"""The check and replay commands, as a user or a script meets them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import interrupted, spfvar

PLUGIN = str(Path(__file__).parents[1] / "explore" / "broken.py")
BROKEN = ["check", "no-rcu-free", "--race", "munmap-file", "--plugin", PLUGIN]
SAFE = ["check", "mmap-lock", "--race", "munmap-file"]

KEYS = {
    "variant", "race", "verdict", "property", "states", "transitions", "depth", "seconds", "trace", "what",
    "vacuous", "why", "token", "story",
}  # fmt: skip


def entries(*arguments: str) -> list[dict[str, Any]]:
    """The JSON list without the one thing that differs from run to run."""
    found = json.loads(spfvar(*arguments, "--format", "json").out)
    for entry in found:
        assert entry.pop("seconds") >= 0
    return list(found)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "spf-dofault"], "did you mean 'spf-do-fault'?"),
        (["check", "--race", "munmap-flie"], "did you mean 'munmap-file'?"),
        (["check", "--race", "nothing-*"], "no race matches"),
        (["check", "--race", "nowhere.toml"], "nowhere.toml"),
        (["check", "--max-states", "0"], "expected 1 or more"),
        (["check", "--max-memory", "much"], "is not a size"),
        (["check", "--timeout", "soon"], "is not a duration"),
        (["check", "--jobs", "0"], "expected 1 or more"),
        (["check", "--plugin", "nowhere.py"], "there is no plugin file"),
        (["check", "--twins", "x99"], "unknown twin 'x99'"),
        (["check", "--walk", "0"], "expected 1 or more"),
        (["check", "--walk", "5", "--seed", "-1"], "expected 0 or more"),
        (["check", "--seed", "5"], "a search has no seed"),
        (["check", "--race", "munmap-file", "--count", "fualt=2"], "did you mean 'fault'?"),
        (["check", "--count", "fault"], "is not an assignment"),
        (["check", "--count", "fault=99"], "expected a number from 1 to 14"),
        (["check", "-o", "/nonexistent/out"], "/nonexistent/out"),
        (["check", "--save", "/nonexistent/out"], "/nonexistent/out"),
        (["replay", "nonsense"], "is no token"),
        (["replay", "spf-do-falt:munmap-file:AQAAAAIBAAAA"], "did you mean 'spf-do-fault'?"),
        (["replay", "spf-do-fault:munmap-flie:AQAAAAIBAAAA"], "did you mean 'munmap-file'?"),
        (["replay", "nowhere.toml"], "nowhere.toml"),
        (["show", "munmap-flie"], "did you mean 'munmap-file'?"),
    ],
)
def test_bad_input_gets_one_message_and_exit_code_2(arguments: list[str], expected: str) -> None:
    """One line that names what was expected or the nearest name; no traceback, nothing on stdout."""
    result = spfvar(*arguments)
    assert result.code == 2, result.err
    assert result.out == ""
    assert len(result.err.strip().splitlines()) == 1
    assert expected in result.err


def test_exit_codes_say_what_was_found() -> None:
    """0 all safe, 3 something incomplete, 1 a violation, which beats incomplete; nothing on stderr of a pipe."""
    assert spfvar(*SAFE).code == 0
    incomplete = spfvar("check", "spf-anon", "--race", "fork-cow", "--max-states", "500")
    assert incomplete.code == 3
    assert "max-states" in incomplete.out
    result = spfvar(*BROKEN)
    assert result.code == 1
    assert result.err == ""


def test_memory_and_timeout_make_a_search_incomplete() -> None:
    """Hitting a bound is a verdict of its own, with the bound's name."""
    for bound in (["--max-memory", "100KiB"], ["--timeout", "1us"]):
        [entry] = entries("check", "spf-anon", "--race", "fork-cow", *bound)
        assert (entry["verdict"], entry["property"], entry["trace"]) == ("incomplete", None, [])
        assert entry["why"] in ("memory", "timeout")


def test_json_has_the_documented_shape_and_is_repeatable() -> None:
    """A list of cases; the trace names thread, function, primitive, outcome and changes of each step."""
    [entry] = entries(*BROKEN)
    assert set(entry) == KEYS - {"seconds"}
    assert (entry["variant"], entry["race"]) == ("no-rcu-free", "munmap-file")
    assert (entry["verdict"], entry["property"]) == ("violation", "P1")
    assert entry["states"] > 0
    assert entry["transitions"] >= entry["states"] - 1
    for step in entry["trace"]:
        assert set(step) == {"step", "thread", "function", "primitive", "outcome", "changes"}
    assert entry["trace"][-1]["outcome"] == "VIOLATION"
    assert entries(*BROKEN) == [entry]
    assert entries(*BROKEN, "--jobs", "1") == [entry]
    [safe] = entries(*SAFE)
    assert (safe["verdict"], safe["property"], safe["trace"], safe["token"]) == ("safe", None, [], None)


def test_without_reductions_the_verdict_is_the_same() -> None:
    """Only the number of states differs."""
    [entry], [plain] = entries(*BROKEN), entries(*BROKEN, "--no-reductions")
    assert (plain["verdict"], plain["property"]) == (entry["verdict"], entry["property"])
    assert plain["states"] > entry["states"]


@pytest.mark.parametrize(("form", "width"), [("table", 80), ("mail", 72)])
def test_reports_fit(form: str, width: int) -> None:
    """Matrix, traces, tokens and footer; the mail in ASCII."""
    names = ["mmap-lock", "per-vma-6.12", "spf-anon", "spf-do-fault", "spf-map-pages", "no-rcu-free"]
    result = spfvar("check", *names, "--race", "munmap-file", "--plugin", PLUGIN, "--format", form, "--all")
    lines = result.out.split("Reproduce:")[0].splitlines()
    assert max(map(len, lines)) <= width
    assert "P1 " in result.out
    assert "sequentially consistent" in result.out
    assert "V6" in result.out
    assert "R4" in result.out
    assert all(name in result.out for name in names)
    if form == "mail":
        assert result.out.isascii()


def test_markdown_has_tables_and_code() -> None:
    """A table of verdicts, the trace as code."""
    text = spfvar(*BROKEN, "--format", "markdown").out
    assert text.startswith("| race | no-rcu-free |\n| --- | --- |\n| munmap-file | P1 ")
    assert text.count("```") == 2


def test_a_saved_file_is_replayed(tmp_path: Path) -> None:
    """As TOML and as JSON: every token still leads to its violation, and a changed variant is told."""
    for name in ("known.toml", "known.json"):
        path = tmp_path / name
        arguments = ["check", "mmap-lock", "no-rcu-free", "--race", "munmap-file", "--plugin", PLUGIN]
        assert spfvar(*arguments, "--save", str(path)).code == 1
        result = spfvar("replay", str(path), "--plugin", PLUGIN)
        assert result.code == 0, result.err
        assert "1 of 1 violations are still there; 1 cases had none" in result.out
        changed = path.read_text().replace("no-rcu-free", "spf-do-fault")
        path.write_text(changed)
        result = spfvar("replay", str(path))
        assert result.code == 1
        assert "diverged: step" in result.out
        assert "it is now munmap: vm_area_free: call_rcu" in result.out
        assert "0 of 1 violations are still there" in result.out


def test_a_printed_token_is_replayed_step_by_step() -> None:
    """The command that check prints works as it stands, and JSON has the state behind each step."""
    printed = spfvar(*BROKEN).out.replace("\\\n", "")
    [command] = [line for line in printed.splitlines() if line.startswith("spfvar replay ")]
    assert spfvar(*shlex.split(command)[1:]).code == 0
    [entry] = entries(*BROKEN)
    result = spfvar("replay", entry["token"], "--plugin", PLUGIN, "--format", "json")
    assert result.code == 0
    document = json.loads(result.out)
    assert document["outcome"] == "reproduced"
    assert document["steps"][-1]["primitives"][-1] == entry["trace"][-1]
    assert all("tree: " in "\n".join(step["state"]) for step in document["steps"])


def test_walks_find_a_violation_or_prove_nothing() -> None:
    """1 with a trace and a token that replays, at a scope beyond the race's own; 3 and never "safe" without one."""
    walking = ["--race", "munmap-file", "--walk", "20000", "--count", "fault=4", "--plugin", PLUGIN]
    [entry] = entries("check", "no-rcu-free", *walking)
    assert (entry["verdict"], entry["property"], entry["walks"]) == ("violation", "P1", 20_000)
    assert entry["race"] == "munmap-file,fault=4"
    assert {step["thread"] for step in entry["trace"]} <= {"munmap", *(f"fault {i}" for i in range(1, 5))}
    assert spfvar("check", "no-rcu-free", *walking).code == 1
    result = spfvar("replay", entry["token"], "--plugin", PLUGIN)
    assert result.code == 0, result.err
    assert "munmap-file,fault=4: reproduced" in " ".join(result.out.split())
    result = spfvar("check", "spf-do-fault", *walking)
    assert result.code == 3
    assert "none in 20k walks" in result.out
    assert "proves nothing" in result.out
    assert "safe 2" not in result.out


def test_walks_depend_on_their_seed_alone() -> None:
    """The same numbers again, whatever runs side by side."""
    walking = [
        "check",
        "mmap-lock",
        "no-rcu-free",
        "--race",
        "munmap-file",
        "--walk",
        "500",
        "--plugin",
        PLUGIN,
    ]
    first = entries(*walking)
    assert entries(*walking, "--jobs", "1") == first
    assert entries(*walking, "--seed", "2") != first


def test_a_search_takes_more_threads_too() -> None:
    """Two faults have more states than one, and the name of the race says so."""
    [one], [two] = entries(*SAFE), entries(*SAFE, "--count", "fault=2")
    assert (one["verdict"], two["verdict"], two["race"]) == ("safe", "safe", "munmap-file,fault=2")
    assert two["states"] > one["states"]


def test_twins_have_to_be_found_with_their_property(tmp_path: Path) -> None:
    """Found with the published property and the fixed variant safe: 0; another property is a miss: 1."""
    arguments = ["check", "--twins", "--plugin", PLUGIN]
    good = spfvar(*arguments, "t1", "--format", "json")
    assert good.code == 0
    found = json.loads(good.out)
    assert [(e["variant"], e["twin"], e["expected"]) for e in found] == [
        ("t1@spf-do-fault", "t1@spf-do-fault", "P1"),
        ("spf-do-fault", "t1@spf-do-fault", "safe"),
    ]
    assert all(set(e) >= KEYS | {"twin", "expected"} for e in found)
    missed = spfvar(*arguments, "t2")
    assert missed.code == 1
    assert "MISSED" in missed.out


def test_a_race_of_ones_own_can_be_checked(tmp_path: Path) -> None:
    """A TOML file by path, or dropped into ./races and then called by name."""
    text = spfvar("show", "munmap-file", "--format", "toml").out
    (tmp_path / "races").mkdir()
    (tmp_path / "races" / "mine.toml").write_text(text)
    assert "mine" in spfvar("list", "races", cwd=tmp_path).out
    assert spfvar("check", "mmap-lock", "--race", "mine", cwd=tmp_path).code == 0
    assert spfvar("check", "mmap-lock", "--race", "races/mine.toml", cwd=tmp_path).code == 0
    (tmp_path / "races" / "mine.toml").write_text(text.replace("load =", "laod ="))
    result = spfvar("check", "--race", "mine", cwd=tmp_path)
    assert result.code == 2
    assert "mine.toml:" in result.err
    assert "laod" in result.err


def test_a_variant_that_cannot_be_extracted_is_told(tmp_path: Path) -> None:
    """The others are checked; an error in a text is bad input, and no verdict."""
    plugin = tmp_path / "bad.py"
    plugin.write_text(
        "from spfvar.mm.hookspecs import hookimpl\n"
        "from spfvar.plugins.variant import Variant\n"
        "class Bad:\n"
        "    @hookimpl\n"
        "    def do_fault(self, vmf):\n"
        "        yield 42\n"
        'VARIANTS = [Variant("bad", "t", "v0", "s", (Bad,))]\n'
    )
    result = spfvar("check", "mmap-lock", "bad", "--race", "munmap-file", "--plugin", str(plugin))
    assert f"{plugin}:6: do_fault yields 42" in result.err
    assert "safe" in result.out
    assert "incomplete" not in result.out
    assert result.code == 2


def test_an_interrupt_ends_it_with_130(tmp_path: Path) -> None:
    """Ctrl-C stops the searches; nothing is printed but one line."""
    done = interrupted(tmp_path, "check", "--no-reductions", "--race", "three-faults-munmap")
    assert (done.code, done.out) == (130, "")
    assert done.err.strip() == "spfvar: interrupted; nothing was written"


def test_races_twins_and_properties_are_listed_and_shown() -> None:
    """list has a name, a title and an origin for each; show explains races and twins."""
    for kind in ("races", "twins", "properties"):
        rows = json.loads(spfvar("list", kind, "--format", "json", "--plugin", PLUGIN).out)
        assert rows
        assert all({"name", "title", "origin"} <= set(row) for row in rows)
    text = spfvar("show", "munmap-file").out
    assert "1 x munmap: munmap map" in text
    assert "P1: nobody looks at a VMA" in text
    assert "Fixed in: spf-do-fault" in spfvar("show", "t1@spf-do-fault", "--plugin", PLUGIN).out


def test_annotations_blame_the_race_or_the_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A violation in a race of the user's is an error at its file, in a shipped one at the plugin's."""
    monkeypatch.chdir(tmp_path)
    text = spfvar("show", "munmap-file", "--format", "toml").out
    (tmp_path / "mine.toml").write_text(text)
    answer = spfvar(*BROKEN[:2], "mmap-lock", *BROKEN[2:], "--race", "mine.toml", "--format", "github")
    assert answer.code == 1
    shipped, mine, notice = answer.out.splitlines()
    assert mine.startswith("::error file=mine.toml,title=no-rcu-free in mine::")
    assert shipped.startswith(f"::error file={PLUGIN},title=no-rcu-free in munmap-file::")
    assert "spfvar replay no-rcu-free%3A" not in mine  # messages keep their colons
    assert "%0Aspfvar replay no-rcu-free:mine:" in mine
    assert notice == "::notice title=4 cases checked::2 safe, 2 violated, 0 incomplete"


def test_an_incomplete_search_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bound that it hit; the exit code stays 3."""
    monkeypatch.chdir(tmp_path)
    answer = spfvar(*SAFE, "--max-states", "10", "--format", "github")
    assert answer.code == 3
    warning, notice = answer.out.splitlines()
    assert warning.startswith("::warning title=mmap-lock in munmap-file%3A incomplete::max-states; ")
    assert notice == "::notice title=1 cases checked::0 safe, 0 violated, 1 incomplete"


def test_a_verdict_of_a_repaired_variant_says_that_it_is_not_of_what_was_posted() -> None:
    """In every form, with the command that checks what was posted; an unrepaired variant says nothing."""
    asked = ("check", "spf-anon", "mmap-lock", "--race", "munmap-anon")
    for form in ("table", "mail", "markdown"):
        text = " ".join(spfvar(*asked, "--format", form).out.split())
        assert "not as posted: spf-anon has 5 repairs; without them: spfvar check spf-anon-posted" in text
    found = {entry["variant"]: entry for entry in json.loads(spfvar(*asked, "--format", "json").out)}
    assert [repair["bugs"] for repair in found["spf-anon"]["repairs"]] == [
        ["H13"], ["H4"], ["S10"], ["N1"], ["H7"],
    ]  # fmt: skip
    assert "repairs" not in found["mmap-lock"]
    posted = spfvar("check", "spf-anon-posted", "--race", "munmap-anon")
    assert posted.code == 1
    assert "P4" in posted.out
    assert "not as posted" not in posted.out


def test_annotations_know_a_race_with_other_numbers_of_threads() -> None:
    """Its name is the file's and the numbers."""
    answer = spfvar(*SAFE, "--count", "fault=2", "--format", "github")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "::notice title=1 cases checked::1 safe, 0 violated, 0 incomplete\n"
