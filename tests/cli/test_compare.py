"""The compare command, as a user or a script meets it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import COMMAND, Answer, interrupted, spfvar

QUICK = ["compare", "--scenario", "file-cow", "--threads", "1,4", "--seeds", "2"]

BROKEN_PLUGIN = """
from spfvar.mm.hookspecs import hookimpl
from spfvar.plugins.variant import Variant


class YieldsNoOp:
    @hookimpl
    def do_anonymous_page(self, vmf):
        yield 42


VARIANTS = [Variant("no-op", "title", "v0", "source", (YieldsNoOp,))]
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["compare", "spf-dofault"], "did you mean 'spf-do-fault'?"),
        (["compare", "--threads", "0"], "expected thread counts 1..1024"),
        (["compare", "--threads", "-1"], "expected thread counts 1..1024"),
        (["compare", "--threads", "1000000000"], "expected thread counts 1..1024"),
        (["compare", "--scenario", "pfft"], "did you mean 'pft'?"),
        (["compare", "--scenario", "nothing-*"], "no scenario matches"),
        (["compare", "--hardware", "skylake"], "did you mean 'skylake-2s56c'?"),
        (["compare", "--set", "hitrate=1"], 'did you mean "hit_rate"?'),
        (["compare", "--scenario", "file-read", "--set", "hit_rate=2"], "expected a number from 0 to 1"),
        (["compare", "--scenario", "page-fault1", "--set", "region=128TiB"], "address space"),
        (["compare", "--metric", "fault_per_s"], "did you mean 'faults_per_s'?"),
        (["compare", "--plugin", "nowhere.py"], "there is no plugin file 'nowhere.py'"),
        (["compare", "--plugin", "no.such.module"], "there is no plugin module"),
        (["compare", "--jobs", "0"], "expected 1 or more"),
        (["compare", "--seeds", "0"], "expected 1 to 1000"),
        (["compare", "--draws", "25"], "expected 1 to 24, as skylake-2s56c has"),
        (["compare", "--draws", "4", "--seeds", "6"], "each draw has a seed of its own"),
        (["compare", "--check", "--format", "json"], "--format json has no word of safety"),
        (["compare", "--load", "x.jsonl", "--draws", "4"], "--draws: has no use beside --load"),
        (["compare", "--hardware", "all", "--format", "html"], "a page is of one machine"),
        (["compare", "--seed", "-1"], "expected 0 or more"),
        (["compare", "--fail-on", "worse"], 'expected "worse>5%"'),
        (["compare", "-o", "/nonexistent/out.txt"], "/nonexistent/out.txt"),
        (["compare", "--formt", "json"], "--format"),
        (["compere"], "did you mean 'compare'?"),
        (["show", "pfft"], "did you mean 'pft'?"),
    ],
)
def test_bad_input_gets_one_message_and_exit_code_2(arguments: list[str], expected: str) -> None:
    """One line that names what was expected or the nearest name; no traceback, nothing on stdout."""
    result = spfvar(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert len(result.err.strip().splitlines()) == 1
    assert expected in result.err


def test_a_broken_scenario_file_names_file_line_and_key(tmp_path: Path) -> None:
    """A user's TOML with an unknown key is told by file, line and key, with the nearest one."""
    shown = spfvar("show", "pft", "--format", "toml").out
    lines = shown.splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("mapped"))
    lines[number] = "maped = true"
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(lines))
    result = spfvar("compare", "--scenario", str(path))
    assert result.code == 2
    assert f"mine.toml:{number + 1}" in result.err
    assert "region[0].maped" in result.err
    assert "mapped" in result.err.split("maped", 2)[-1]


def test_a_dropped_scenario_is_found_by_name(tmp_path: Path) -> None:
    """A TOML file in ./scenarios is listed and can be run."""
    (tmp_path / "scenarios").mkdir()
    text = spfvar("show", "file-cow", "--format", "toml").out
    (tmp_path / "scenarios" / "mine.toml").write_text(text)
    assert "mine" in spfvar("list", "scenarios", cwd=tmp_path).out
    arguments = ["compare", "mmap-lock", "--scenario", "mine", "--threads", "2", "--seeds", "2"]
    result = spfvar(*arguments, "--format", "json", cwd=tmp_path)
    assert {cell["scenario"] for cell in json.loads(result.out)["cells"]} == {"mine"}


def test_json_has_the_documented_shape() -> None:
    """Keys and units of the JSON object; nothing on stderr when it is not a terminal."""
    result = spfvar(*QUICK, "--format", "json")
    assert result.code == 0
    assert result.err == ""
    document = json.loads(result.out)
    assert list(document) == [
        "spfvar", "simulated", "baseline", "hardware", "matrix_hash", "notes", "cells", "comparisons",
    ]  # fmt: skip
    assert document["simulated"] is True
    assert document["baseline"] == "mmap-lock"
    cell = document["cells"][0]
    assert set(cell) == {"variant", "scenario", "axes", "seeds", "metrics", "events"}
    assert cell["axes"]["threads"] == 1
    assert set(cell["metrics"]["faults_per_s"]) == {"value", "ci_low", "ci_high", "unit", "better"}
    # Five variants at two thread counts; the baseline is compared with nothing.
    assert len(document["cells"]) == 10
    assert {row["variant"] for row in document["comparisons"]} == {
        "per-vma-6.12", "spf-anon", "spf-do-fault", "spf-map-pages",
    }  # fmt: skip


def test_same_seed_same_bytes_on_one_core_or_two() -> None:
    """Neither a second run nor the number of jobs changes a byte; another seed does."""
    runs = [spfvar(*QUICK, "--format", "csv", "--jobs", jobs).out for jobs in ("1", "2", "2")]
    assert runs[0] == runs[1] == runs[2]
    assert spfvar(*QUICK, "--format", "csv", "--seed", "7").out != runs[0]


def test_the_review_question_is_answered_from_the_results() -> None:
    """Private writes and fault-around off tell ->fault from ->map_pages; cached reads do not."""
    loads = ["file-cow", "file-read", "file-read-nofa"]
    options = [o for load in loads for o in ("--scenario", load)]
    result = spfvar("compare", "spf-do-fault", "spf-map-pages", *options, "--threads", "4,16", "-v")
    text = " ".join(result.out.split())
    better = text.split("spf-do-fault is better than spf-map-pages (faults/s) in:")[1].split(". Note:")[0]
    assert "file-cow" in better
    assert "file-read-nofa" in better
    assert "do not differ in: file-read." in text


def test_fail_on_sets_the_exit_code() -> None:
    """spf-anon only aborts on file pages, so it is worse there by more than 1 %, not by 99 %."""
    arguments = ["compare", "spf-anon", "--scenario", "file-cow", "--threads", "16"]
    assert spfvar(*arguments, "--fail-on", "faults_per_s:worse>1%").code == 1
    assert spfvar(*arguments, "--fail-on", "faults_per_s:worse>99%").code == 0


def test_a_loss_that_is_unsure_is_told_and_does_not_fail() -> None:
    """Two seeds of a 99.9th percentile are far too few for a verdict, whatever their ratio."""
    arguments = ["compare", "spf-anon", "--scenario", "file-cow", "--threads", "16", "--seeds", "2"]
    found = spfvar(*arguments, "--fail-on", "fault_p999:worse>1%")
    assert found.code == 0
    assert found.err.startswith("spfvar: unsure, so not failed: spf-anon in file-cow: fault_p999 is ")
    assert found.err.endswith("more seeds may tell\n")
    annotated = spfvar(*arguments, "--fail-on", "fault_p999:worse>1%", "--format", "github").out
    assert "::warning " in annotated
    assert "but unsure: more seeds may tell" in annotated


def test_fail_on_judges_a_cell_equally_whatever_else_ran() -> None:
    """Alone, and beside other loads and variants: the same words for the same cell."""
    few = ["compare", "spf-anon", "--scenario", "file-cow", "--threads", "16", "--seeds", "3"]
    many = [
        "compare",
        "spf-anon",
        "spf-do-fault",
        "--scenario",
        "file-*",
        "--threads",
        "4,16",
        "--seeds",
        "3",
    ]

    def cell(arguments: list[str]) -> list[object]:
        rows = json.loads(spfvar(*arguments, "--format", "json").out)["comparisons"]
        here = ("spf-anon", "file-cow", 16)
        return [row for row in rows if (row["variant"], row["scenario"], row["axes"]["threads"]) == here]

    assert len(cell(few)) > 1
    assert cell(few) == cell(many)


def test_a_broken_plugin_does_not_stop_the_others(tmp_path: Path) -> None:
    """The variant that yields no op is reported by name, file and line; the rest is compared."""
    plugin = tmp_path / "plugin.py"
    plugin.write_text(BROKEN_PLUGIN)
    result = spfvar(*QUICK, "--plugin", str(plugin))
    line = BROKEN_PLUGIN.splitlines().index("        yield 42") + 1
    assert f"{plugin}:{line}" in result.err
    assert "no-op" in result.err
    assert "spf-do-fault" in result.out
    assert result.code == 2


def test_nothing_is_compared_if_nothing_asked_for_can_be_used(tmp_path: Path) -> None:
    """One message, and not every shipped variant instead of the one that was named."""
    plugin = tmp_path / "plugin.py"
    plugin.write_text(BROKEN_PLUGIN)
    result = spfvar(*QUICK, "no-op", "--plugin", str(plugin))
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert "none of the variants asked for can be used: plugin" in result.err


def test_interrupt_exits_130_and_writes_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a run: one message, exit code 130, no file."""
    output = tmp_path / "out" / "out.json"
    output.parent.mkdir()
    done = interrupted(tmp_path, "compare", "--seeds", "50", "-o", str(output))
    assert done.code == 130
    assert done.err.strip() == "spfvar: interrupted; nothing was written"
    assert list(output.parent.iterdir()) == []


def test_a_process_of_its_own_does_the_same() -> None:
    """The other tests call the command line in this process: exit code and message reach a shell, too."""
    done = subprocess.run([*COMMAND, "compere"], capture_output=True, text=True, check=False, timeout=300)
    assert Answer(done.returncode, done.stdout, done.stderr) == spfvar("compere")
    assert done.returncode == 2


def test_output_is_written_whole_and_reproduce_leaves_it_out(tmp_path: Path) -> None:
    """-o writes what stdout would get, and the Reproduce line does not depend on it."""
    output = tmp_path / "out.txt"
    shown = spfvar(*QUICK).out
    assert spfvar(*QUICK, "-o", str(output)).out == ""
    assert output.read_text() == shown


@pytest.mark.parametrize("form", ["table", "mail"])
def test_text_fits_its_width(form: str) -> None:
    """80 columns on a terminal, 72 of ASCII in a mail; the first line says SIMULATED."""
    text = spfvar(*QUICK, "--format", form, "--events").out
    assert text.startswith("SIMULATED")
    assert max(len(line) for line in text.splitlines()) <= (72 if form == "mail" else 80)
    assert form == "table" or text.isascii()
    assert "\nReproduce: spfvar compare --scenario file-cow" in text


def test_a_comparison_begins_with_the_verdict_and_ends_with_its_command() -> None:
    """Safe? worth it where? who pays? then a line per load; tables only if asked for."""
    loads = ["--scenario", "file-cow", "--scenario", "pft", "--threads", "4", "--draws", "3"]
    short = spfvar("compare", "spf-do-fault", *loads).out
    lines = short.splitlines()
    assert lines[0].startswith("SIMULATED on skylake-2s56c")
    assert lines[1] == ""
    claims = [line for line in lines if line.startswith(("spf-do-fault: ", "  worth it", "  who pays"))]
    assert len(claims) == 3
    assert claims[0] == "spf-do-fault: safety not known (spfvar check spf-do-fault)"
    assert any(line.startswith("Fitted to") for line in lines[lines.index(claims[-1]) :])
    at = lines.index(next(line for line in lines if line.startswith("file-cow ")))
    assert lines[at + 1].startswith("pft ")
    assert " ".join(lines[at + 2 :]).replace("\\ ", "").split() == [
        "Reproduce:", "spfvar", "compare", "spf-do-fault", *loads,
    ]  # fmt: skip
    whole = spfvar("compare", "spf-do-fault", *loads, "-v").out
    assert "pft faults_per_s: page faults per second, in M faults/s" in whole
    assert "Baseline mmap-lock;" in whole
    assert "Baseline mmap-lock;" not in short


def test_draws_are_of_the_machine_and_seeds_of_chance() -> None:
    """With draws the throughput of one thread is anything the machine may give, with seeds one figure."""
    cell = ["compare", "mmap-lock", "--scenario", "file-cow", "--threads", "1", "--format", "json"]

    def spread(*options: str) -> float:
        [found] = json.loads(spfvar(*cell, *options).out)["cells"]
        rate = found["metrics"]["faults_per_s"]
        return float((rate["ci_high"] - rate["ci_low"]) / rate["value"])

    assert spread("--seeds", "4") < 0.01
    assert spread("--draws", "4") > 0.05


def test_a_machine_without_draws_is_run_with_seeds(tmp_path: Path) -> None:
    """A user's own profile: six seeds by default, and --draws is refused with the reason."""
    text = spfvar("show", "phone-8c", "--format", "toml").out
    profile = tmp_path / "mine.toml"
    profile.write_text(text.partition("[draws]")[0])
    arguments = ["compare", "mmap-lock", "--scenario", "pft", "--threads", "1", "--hardware", str(profile)]
    assert "6 seeds from 1" in spfvar(*arguments, "-v").out
    refused = spfvar(*arguments, "--draws", "4")
    assert refused.code == 2
    assert "mine has no draws of its figures" in refused.err


def test_safety_is_known_once_it_was_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """check keeps it; from then on compare says it, for the text as it is."""
    monkeypatch.setenv("SPFVAR_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setattr("spfvar.matrix.safety._races", lambda: ("munmap-file",))
    arguments = ["compare", "spf-do-fault", "--scenario", "pft", "--threads", "1", "--draws", "2"]
    assert "spf-do-fault: safety not known" in spfvar(*arguments).out
    assert spfvar("check", "spf-do-fault", "--race", "munmap-file").code == 0
    assert "spf-do-fault: safe in all 1 races" in spfvar(*arguments).out


def test_several_machines_are_one_table_and_a_loss_names_its_machine(tmp_path: Path) -> None:
    """--hardware a,b: each is named and runs its own cells; --fail-on holds on each, and says where it failed."""
    names = "skylake-2s56c", "phone-8c"
    arguments = [
        "compare", "spf-do-fault", "--scenario", "page-fault3", "--threads", "4", "--draws", "3",
        "--hardware", ",".join(names), "--no-store", "--metric", "faults_per_s",
    ]  # fmt: skip
    found = spfvar(*arguments, "--format", "json", "--fail-on", "worse>2%")
    machines = {one["hardware"]: one for one in json.loads(found.out)["machines"]}
    assert tuple(machines) == names
    [[ratio], [other]] = [[c["ratio"] for c in one["comparisons"]] for one in machines.values()]
    assert ratio != other
    failed = []
    for name in names:
        alone = spfvar(
            *(word if word != ",".join(names) else name for word in arguments),
            "--format", "json", "--fail-on", "worse>2%",
        )  # fmt: skip
        assert json.loads(alone.out) == machines[name]
        if alone.code == 1:
            failed.append(alone.err.splitlines()[-1].replace("page-fault3: ", f"page-fault3 on {name}: "))
    assert found.code == 1
    assert len(failed) == 2  # the worst of all is named, and the other counted
    assert found.err.splitlines()[-1] in [f"{line} (and 1 more)" for line in failed]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--hardware", "skylake-2s56c,phone-8"], "did you mean 'phone-8c'?"),
        (["--hardware", "phone-8c,"], "expected NAME,NAME or all"),
        (["--hardware", "all", "--save", "all.jsonl"], "--save: a file holds the run of one machine"),
    ],
)
def test_bad_lists_of_machines_are_refused(arguments: list[str], expected: str) -> None:
    """A wrong name in a list has its nearest, an empty one is no name, and a saved run is of one machine."""
    result = spfvar("compare", *arguments)
    assert result.code == 2
    assert expected in result.err
