"""Results of benchmarks: what they print comes back, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.scenario.published import LARGEST, SMALLEST, Table
from spfvar.validation import readers

COLUMNS = st.dictionaries(st.integers(1, 1024), st.integers(1, 10**12), min_size=1, max_size=6)


@given(COLUMNS)
def test_will_it_scale_comes_back(column: dict[int, int]) -> None:
    """Its column of threads; processes, idle shares and the line of zeros are passed over."""
    lines = ["tasks,processes,processes_idle,threads,threads_idle,linear", "0,0,100,0,100,0"]
    lines += [f"{n},{7 * rate},1.50,{rate},2.25,9" for n, rate in column.items()]
    assert readers.will_it_scale("\n".join(lines), "f") == column


@given(COLUMNS)
def test_mmtests_comes_back(column: dict[int, int]) -> None:
    """Harmonic means of faults per second; other rows and statistics are none of it."""
    lines = ["                      base"]
    for n, rate in column.items():
        lines.append(f"Hmean     faults/cpu-{n}   {rate * 3}.0000 (   0.00%)")
        lines.append(f"Hmean     faults/sec-{n}   {rate}.0000 (  -1.25%)")
        lines.append(f"Stddev    faults/sec-{n}   17.0 (   0.00%)")
    assert readers.mmtests("\n".join(lines), "f") == column


@given(
    st.dictionaries(
        st.integers(1, 1024), st.lists(st.integers(1, 10**9), min_size=1, max_size=3), min_size=1, max_size=5
    )
)
def test_pft_comes_back_as_harmonic_means(runs: dict[int, list[int]]) -> None:
    """Of n runs: n / (sum of 1 / rate); with and without the column of repetitions, times with an s behind."""
    lines = ["   Gb  Rep Thr CLine  User      System     Wall    flt/cpu/s fault/wsec"]
    for n, rates in runs.items():
        for i, rate in enumerate(rates):
            before = f"  1  {i + 1} " if n % 2 else "  1 "
            lines.append(f"{before} {n} 1  0.02s 0.31s 0.33s {rate * 2} {rate}")
    expected = {n: len(rates) / sum(1.0 / rate for rate in rates) for n, rates in runs.items()}
    assert readers.pft("\n".join(lines), "f") == pytest.approx(expected)


@given(st.integers(1, 10**9), st.integers(1, 10**12))
def test_perf_stat_is_faults_over_time(faults: int, ns: int) -> None:
    """page-faults / duration_time, in seconds; modifiers and other events are allowed."""
    rate = faults / ns * 1e9
    text = f"# started\n\n{faults},,page-faults:u,1,100.00,,\n{ns},ns,duration_time,{ns},100.00,,\n9,,cycles,1,100,,\n"
    if not SMALLEST <= rate <= LARGEST:
        with pytest.raises(InputError):
            readers.perf_stat(text, "f")
    else:
        assert readers.perf_stat(text, "f") == pytest.approx(rate)


@given(st.text(max_size=300), st.sampled_from(["will_it_scale", "mmtests", "pft", "perf_stat"]))
def test_whatever_a_file_holds_leads_to_results_or_one_error(text: str, reader: str) -> None:
    """Never another exception, and never a rate that is none."""
    try:
        found = getattr(readers, reader)(text, "f")
    except InputError:
        return
    rates = [found] if isinstance(found, float) else list(found.values())
    assert all(SMALLEST <= rate <= LARGEST for rate in rates)


@pytest.mark.parametrize(
    ("reader", "text", "line", "said"),
    [
        ("will_it_scale", "a,b\n", 1, "no columns tasks and threads"),
        ("will_it_scale", "tasks,threads\n1,5\n1,6\n", 3, "1 threads again"),
        ("will_it_scale", "tasks,threads\n1,five\n", 2, "is no number"),
        ("will_it_scale", "tasks,threads\n1\n", 2, "1 columns"),
        ("mmtests", "x\nHmean faults/sec-1 5.0 (0.00%) 6.0 (1.00%)\n", 2, "a file per kernel"),
        ("pft", "1 2 3\n", 1, "3 columns"),
        ("pft", "1 1 2000 1 1 1 1 5 5\n", 1, "2000 threads"),
        ("perf_stat", "5,,page-faults\n", None, "no page-faults and duration_time"),
        ("pft", "", None, "no results"),
    ],
)
def test_a_bad_line_is_named(reader: str, text: str, line: int | None, said: str) -> None:
    with pytest.raises(InputError) as caught:
        getattr(readers, reader)(text, "f.csv")
    assert caught.value.file == "f.csv"
    assert caught.value.line == line
    assert said in str(caught.value)


def table(**given: object) -> Table:
    """A table with results of two designs."""
    one = {
        "row": "X",
        "load": "page-fault1",
        "format": "will-it-scale",
        "results": {"a": "a.csv", "b": "b.csv"},
    }
    return Table.model_validate({**one, **given})


def test_the_thread_counts_that_all_designs_have_are_taken(tmp_path: Path) -> None:
    """a has 1, 2 and 4, b has 1 and 4."""
    (tmp_path / "a.csv").write_text("tasks,threads\n1,10\n2,20\n4,30\n")
    (tmp_path / "b.csv").write_text("tasks,threads\n1,11\n4,44\n")
    one = readers.read_results(table(), tmp_path)
    assert one.threads == [1, 4]
    assert one.values == {"a": [10.0, 30.0], "b": [11.0, 44.0]}
    with pytest.raises(InputError, match="no results at 2 threads"):
        readers.read_results(table(threads=[1, 2]), tmp_path)


def test_a_file_per_number_of_threads(tmp_path: Path) -> None:
    """perf stat knows no threads: 1000 faults in 1 ms are a million a second."""
    for design in "ab":
        for n in (1, 4):
            text = f"{1000 * n},,page-faults,1,100,,\n1000000,ns,duration_time,1,100,,\n"
            (tmp_path / f"{design}-{n}.csv").write_text(text)
    results = {"a": "a-{threads}.csv", "b": "b-{threads}.csv"}
    one = readers.read_results(
        table(format="perf-stat", load="pft", threads=[1, 4], results=results), tmp_path
    )
    assert one.values == {"a": [1e6, 4e6], "b": [1e6, 4e6]}
    with pytest.raises(InputError, match="a file per number of threads"):
        readers.read_results(table(format="perf-stat", threads=[1, 4]), tmp_path)


def test_results_of_another_testcase_are_refused(tmp_path: Path) -> None:
    """A name such as page_fault2.csv says what was run."""
    (tmp_path / "page_fault2.csv").write_text("tasks,threads\n1,10\n")
    with pytest.raises(InputError, match="results of page_fault2"):
        readers.read_results(table(results={"a": "page_fault2.csv"}), tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv: cannot read"):
        readers.read_results(table(), tmp_path)


def test_results_that_compare_nothing_are_one_error(tmp_path: Path) -> None:
    """One design without a single thread: what a table in the file itself would be told."""
    (tmp_path / "a.csv").write_text("tasks,threads\n2,20\n4,30\n")
    with pytest.raises(InputError, match="nothing to compare"):
        readers.read_results(table(results={"a": "a.csv"}), tmp_path)
