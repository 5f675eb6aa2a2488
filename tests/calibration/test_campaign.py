"""What is measured of which host, what is refused, and which design a kernel has."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from spfvar.calibration.campaign import LOADS, counts_of, measure, order_of, pairs_of, tasks_of
from spfvar.calibration.design import design_of
from spfvar.calibration.host import Place, numbers, places, shape, version
from spfvar.calibration.probe import ProbeError, compiled, interpreted
from spfvar.plugins.registry import load_registry

#: Two sockets of two cores, two CPUs each; Linux gives the siblings the second half of the numbers.
SERVER = [
    Place(cpu, (cpu // 2 % 2, cpu % 2), ((0, 1, 4, 5), (2, 3, 6, 7))[cpu // 2 % 2], cpu // 2 % 2)
    for cpu in range(8)
]


def test_the_shape_of_a_server() -> None:
    """Sockets, clusters per socket, cores per cluster, CPUs per core; and of two of its CPUs alone."""
    assert shape(SERVER) == (2, 1, 2, 2)
    assert shape([SERVER[0], SERVER[4]]) == (1, 1, 1, 2)
    assert shape([SERVER[0], SERVER[1], SERVER[2]]) == (2, 1, 2, 1)  # room for each: 2 x 2


def test_threads_get_idle_cores_of_a_socket_first() -> None:
    """Both cores of socket 0, then of socket 1, then the siblings in the same order."""
    assert order_of(SERVER) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_pairs_of_cpus_by_distance() -> None:
    """Siblings share a core; one cache per socket, so no pair is apart within one."""
    found = pairs_of(SERVER)
    assert found["core"][0] == (0, 4)
    assert (0, 1) in found["cluster"]
    assert (0, 2) in found["remote"]
    assert "socket" not in found


@pytest.mark.parametrize(
    ("cpus", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (112, [1, 8, 16, 32, 64, 112])]
)
def test_thread_counts_end_with_all_cpus(cpus: int, counts: list[int]) -> None:
    """Powers of two up to there; the small ones but one are left out where these are many."""
    assert counts_of(cpus) == counts


def test_a_load_with_a_writer_leaves_a_cpu_to_it() -> None:
    """On two CPUs: faults of two threads, but beside one that maps only one thread's."""
    found = {(task.load, task.threads): task.cpus for task in tasks_of(SERVER[:2]) if task.load}
    assert found["mmap-churn", 1] == (0, 1)
    assert ("mmap-churn", 2) not in found
    assert ("pft", 2) in found


def test_what_cannot_be_measured_is_named_with_the_reason() -> None:
    """A probe that refuses all but faults: figures are missing, with its words; rates are the best samples."""

    def some(test: str, cpus: Sequence[int], ms: float, samples: int) -> list[list[float]]:
        if test not in dict(LOADS):
            raise ProbeError(f"{test} is forbidden")
        return [[1e6], [1.2e6], [0.8e6]]

    told: list[tuple[str, int, int]] = []
    found = measure(SERVER[:2], some, progress=lambda *one: told.append(one))
    assert found.figures == {}
    assert found.missing["syscall"] == "syscall is forbidden"
    assert "lines by distance core" in found.missing
    assert {(rate.value, rate.usual) for rate in found.rates} == {(1.2e6, 1e6)}
    assert found.noise == pytest.approx(0.2)
    assert [done for _, done, _ in told] == list(range(told[0][2]))


def test_a_host_whose_faults_cannot_be_measured_is_refused() -> None:
    """Nothing is fitted to nothing."""

    def none(test: str, cpus: Sequence[int], ms: float, samples: int) -> list[list[float]]:
        raise ProbeError("no such luck")

    with pytest.raises(ProbeError, match="not even the faults of one thread can be measured"):
        measure(SERVER[:1], none)


def test_python_measures_one_thread_and_says_what_it_cannot() -> None:
    """Loops in C do the work, so a page is zeroed in less than a millisecond; lines between cores need two."""
    cpu = places()[0].cpu
    [[ns]] = interpreted("zero", [cpu], 1.0, 1)
    assert 10.0 < ns < 1e6
    [[rate]] = interpreted("pft", [cpu], 1.0, 1)
    assert 1e3 < rate < 1e9
    with pytest.raises(ProbeError, match="needs a compiler"):
        interpreted("line", [0, 1], 1.0, 1)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_c_program_measures(tmp_path: Path) -> None:
    """Each test gives the samples asked for; one that there is not is refused with its name."""
    run = compiled(tmp_path)
    cpu = places()[0].cpu
    for test in ("syscall", "atomic", "page-fault1", "page-fault3", "pft"):
        samples = run(test, [cpu], 2.0, 2)
        assert [len(sample) for sample in samples] == [1, 1]
        assert all(value > 0 for [value] in samples)
    assert run("switch", [cpu, cpu], 1.0, 1)[0][0] > 0
    with pytest.raises(ProbeError, match="no test nothing"):
        run("nothing", [cpu], 1.0, 1)


def test_without_a_compiler_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And with one that cannot build the program, the first line that it says."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ProbeError, match="there is no C compiler"):
        compiled(tmp_path)
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho headers are missing >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(broken))
    with pytest.raises(ProbeError, match="headers are missing"):
        compiled(tmp_path)


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("5.15.0-91-generic", "mmap-lock"), ("6.1.0-18-amd64", "mmap-lock-6.1"), ("6.6.8", "per-vma-6.6"),
        ("6.12.3+", "per-vma-6.12"), ("7.2.0-rc1", "per-vma-6.17"), ("4.19.0", "mmap-lock"),
    ],
)  # fmt: skip
def test_a_kernel_s_own_design_is_found_from_its_version(release: str, name: str) -> None:
    """The newest that is not newer; proposals that name a version are none; before the oldest: the oldest."""
    assert design_of(load_registry(), release).name == name


def test_lists_of_cpus_and_versions() -> None:
    """As /sys and uname spell them."""
    assert numbers("0-2,5") == (0, 1, 2, 5)
    assert version("6.18.44-fc-v857") == (6, 18)
    assert version("unknown") == (0, 0)
