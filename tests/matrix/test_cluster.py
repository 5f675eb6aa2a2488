"""On a cluster: the results are those of one process, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from spfvar.errors import InputError
from spfvar.explore.options import Options
from spfvar.matrix import catalogue, cluster
from spfvar.matrix.cases import make_cases
from spfvar.matrix.check import Checked, run_checks
from spfvar.matrix.hunting import Plan as HuntPlan
from spfvar.matrix.hunting import run_hunt
from spfvar.matrix.plan import Plan, make_plan
from spfvar.matrix.run import run_plan
from spfvar.plugins.registry import load_registry
from spfvar.store.database import Store
from tests.cli.running import spfvar

PLUGIN = str(Path(__file__).parents[1] / "explore" / "broken.py")
REGISTRY = load_registry([PLUGIN])


@pytest.fixture(scope="module")
def workers() -> Iterator[cluster.Cluster]:
    """Two processes."""
    with cluster.local(2, [PLUGIN]) as found:
        yield found


def plan(*threads: int) -> Plan:
    """Two programs: without a writer the plugin's design is mmap-lock, and the two of the series are alike."""
    names = ["mmap-lock", "spf-anon", "spf-map-pages", "no-rcu-free"]
    return make_plan(
        REGISTRY, catalogue.scenarios(), catalogue.hardware(), variants=names, patterns=["pft"],
        threads=threads, seeds=2,
    )  # fmt: skip


def test_cells_are_those_of_one_process_though_a_worker_is_killed(
    workers: cluster.Cluster, store: Store
) -> None:
    """To the last bit; what was finished is in the store, as if it had been computed here.

    One of the two workers is killed when the first cell is done; its tasks are done by others.
    """
    wanted = plan(1, 2)
    here = run_plan(wanted, 1)
    pids = list(workers.client.run(os.getpid).values())

    def kill(done: int, _total: int) -> None:
        if done == 1:
            os.kill(pids[0], signal.SIGKILL)

    run_plan(plan(1), executor=workers)  # what one call gave is no reason to leave it out in the next
    assert run_plan(plan(1), executor=workers).values.equals(run_plan(plan(1), 1).values)
    there = run_plan(wanted, progress=kill, store=store, executor=workers)
    assert there.values.equals(here.values)
    assert there.events.equals(here.events)
    assert here.failures == there.failures == []
    assert store.hits == 0
    assert run_plan(wanted, 1, store=store).values.equals(here.values)
    # Two programs in two loads, two seeds each; each of the four designs finds its own.
    assert {kind.kind: kind.entries for kind in store.kinds()}["run"] == 2 * 2 * 2
    assert store.hits == 4 * 2 * 2


def test_searches_are_those_of_one_process(workers: cluster.Cluster, store: Store) -> None:
    """Safe ones and a plugin's violation, with its trace; kept by text and by program as here."""
    cases = make_cases(REGISTRY, catalogue.races(), ["mmap-lock", "no-rcu-free"], ["munmap-file"])

    def told(found: list[Checked]) -> list[object]:
        return [replace(one.verdict, seconds=0.0) for one in found]

    here = told(run_checks(cases, Options(), 1))
    assert told(run_checks(cases, Options(), store=store, executor=workers)) == here
    assert told(run_checks(cases, Options(), 1, store=store)) == here
    assert store.hits == 2


def test_hunts_are_those_of_one_process(workers: cluster.Cluster) -> None:
    """Races, findings and steps, whoever runs which slice when."""
    twin = REGISTRY.any_variant("h4@spf-anon")
    wanted = HuntPlan(2, memories=("policy",), verbs=("store", "mbind"))
    here, there = run_hunt(twin, wanted, jobs=1), run_hunt(twin, wanted, executor=workers)
    assert here.findings
    assert replace(there, seconds=0.0) == replace(here, seconds=0.0)


def test_other_versions_are_refused(workers: cluster.Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the cluster is asked for, with the worker; and by a worker that came later."""
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "package_digest", lambda: "another text of spfvar")
        with pytest.raises(InputError, match=r"worker tcp://.* has its files .*, not another text"):
            cluster.Cluster(workers.client)
    late = cluster.Cluster(workers.client, [PLUGIN])
    monkeypatch.setattr(late, "_same", {**cluster.fingerprint(), "numpy": "0.1"})
    with pytest.raises(InputError, match=r"a worker has numpy .*, not 0.1"):
        run_plan(plan(1), executor=late)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--on", "tcp://127.0.0.1:1", "--dask"], "--on or --dask, not both"),
        (["--on", "tcp://127.0.0.1:1", "--jobs", "2"], "the cluster has its workers"),
        (["--on", "nowhere"], "'nowhere' is no address of a scheduler"),
        (["--on", "tcp://127.0.0.1:1"], "no scheduler at tcp://127.0.0.1:1"),
    ],
)
def test_a_cluster_that_is_none_is_one_message(
    options: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2."""
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    answer = spfvar("check", "mmap-lock", "--race", "two-faults", *options)
    assert answer.code == 2
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1


ADDRESSES = ["nowhere", "", "http://x:1", "tcp://", "inproc://x", "/tmp/none.json", "tls://127.0.0.1:1"]


def test_a_bad_address_does_not_keep_the_process() -> None:
    """It ends behind its messages: a client's thread would go on, which was begun before the address is read."""
    script = f"""
from spfvar.errors import InputError
from spfvar.matrix import cluster
for address in {ADDRESSES}:
    try:
        with cluster.connected(address):
            pass
    except InputError as error:
        print(error)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.stderr == ""
    *places, tls = ended.stdout.splitlines()
    assert [line.partition(";")[0] for line in places] == [
        f"--on: {address!r} is no address of a scheduler" for address in ADDRESSES[:-1]
    ]
    assert tls.startswith("--on: TLS needs certificates; expected those of this client in Dask's config")


#: A scheduler with a worker, in one process; its address is the first line that it writes.
SCHEDULER = """
from distributed import LocalCluster
with LocalCluster(
    n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", processes=False, protocol="tcp"
) as found:
    print(found.scheduler_address, flush=True)
    input()
"""


def test_a_scheduler_that_dies_is_one_message(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    """Killed when the first cell is done, which is in the store then; Dask's client tells nothing of its own."""
    gone = "the scheduler is gone; what was finished is in the store"
    with subprocess.Popen(
        [sys.executable, "-c", SCHEDULER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as scheduler:
        assert scheduler.stdout is not None
        address = scheduler.stdout.readline().strip()
        with (
            pytest.raises(cluster.ClusterError, match=gone),
            cluster.connected(address, [PLUGIN]) as executor,
        ):
            run_plan(plan(1, 2), progress=lambda *_: scheduler.kill(), store=store, executor=executor)
    assert {kind.kind: kind.entries for kind in store.kinds()}["run"] >= 2  # seeds
    assert capfd.readouterr().err == ""
