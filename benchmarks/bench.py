"""Speed of the simulator and of the command line on this machine, against their targets.

    python -m benchmarks.bench                       everything (make bench)
    python -m benchmarks.bench --only engine --threads 8

``engine``: mmap-lock under pft, faults per second, beside the same model written in SimPy (simpy_pft.py);
runs of the two alternate, medians are reported, compilation is left out.  Both keep one core busy and are
timed by its time, so that other users of the machine do not count.  ``compare``: the
default comparison, with nothing compiled yet and again.  ``help``: spfvar --help.  ``explore``: the explorer
with and without reductions (explore.py).  ``hunt``:
generated races a second (hunt.py).  ``spin``: the explorer beside SPIN on the same race (spin.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import explore, hunt, simpy_pft, spin
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.hardware import Profile
from spfvar.scenario.load import Load, make_load
from spfvar.simulate.runner import seed_sequence, simulate
from spfvar.simulate.world import World, build_world

PARTS = ("engine", "compare", "help", "explore", "hunt", "spin")
HARDWARE = "skylake-2s56c"
ENGINE_FAULTS = 400_000
#: Targets: how many times faster than SimPy, by threads; the rest in seconds and bytes.
RATIO = {1: 100.0, 8: 100.0, 64: 50.0}
SAME_THROUGHPUT = 0.02
COLD_S, WARM_S, HELP_S = 60.0, 20.0, 0.3
RSS_BYTES = 500e6


@dataclasses.dataclass(frozen=True)
class Speed:
    """Of one program: faults per second of its own time, and simulated faults per second."""

    own: float
    simulated: float


def progress(text: str) -> None:
    """Say on stderr what is going on."""
    print(text, file=sys.stderr, flush=True)


def verdict(met: bool) -> str:
    """How a figure compares to its target."""
    return "pass" if met else "SHORT"


# --- the engine and its twin ---------------------------------------------------------------------


def pft(threads: int) -> Load:
    """The scenario's load at a thread count."""
    scenario = catalogue.scenarios()["pft"]
    axes = {name: axis.parse(axis.values[0]) for name, axis in scenario.axes.items()}
    return make_load("pft", scenario, {**axes, "threads": threads})


def run_engine(world: World, variant: Variant, profile: Profile, seed: int) -> float:
    """One run of ours; returns the simulated throughput."""
    load = world.load
    result = simulate(world, variant, profile, seed_sequence(seed, 0, load.scenario, load.threads))
    return result.metrics["faults_per_s"]


def run_twin(load: Load, profile: Profile, seed: int) -> float:
    """One run of the twin; returns the simulated throughput."""
    return simpy_pft.simulate(profile, load.threads, load.warmup, load.faults, load.regions[0].pages, seed)


def engine_and_twin(threads: int, repeats: int) -> tuple[Speed, Speed]:
    """Run both ``repeats`` times in turn."""
    load = pft(threads)
    profile = catalogue.hardware()[HARDWARE]
    variant = load_registry()["mmap-lock"]
    world = build_world(load, Stack(variant))
    many = dataclasses.replace(world, load=dataclasses.replace(load, faults=ENGINE_FAULTS))
    run_engine(dataclasses.replace(world, load=dataclasses.replace(load, faults=100)), variant, profile, 1)
    ours: list[Speed] = []
    twin: list[Speed] = []
    for seed in range(1, repeats + 1):
        progress(f"engine: {threads} threads, run {seed} of {repeats}")
        started = time.process_time()
        simulated = run_engine(many, variant, profile, seed)
        between = time.process_time()
        ours.append(Speed((ENGINE_FAULTS + load.warmup) / (between - started), simulated))
        simulated = run_twin(load, profile, seed)
        twin.append(Speed((load.faults + load.warmup) / (time.process_time() - between), simulated))
    return _medians(ours), _medians(twin)


def _medians(runs: Sequence[Speed]) -> Speed:
    return Speed(statistics.median(r.own for r in runs), statistics.median(r.simulated for r in runs))


def report_engine(threads: Sequence[int], repeats: int) -> None:
    """The table of both programs."""
    print(f"mmap-lock, pft, {HARDWARE}: faults per second of CPU time, median of {repeats} runs")
    print(
        f"{'threads':>8}{'spfvar':>12}{'SimPy':>10}{'ratio':>8}  {'target':<14}"
        "simulated throughput differs by"
    )
    for count in threads:
        ours, twin = engine_and_twin(count, repeats)
        ratio = ours.own / twin.own
        wanted = RATIO.get(count)
        target = "" if wanted is None else f">= {wanted:.0f} {verdict(ratio >= wanted)}"
        differs = ours.simulated / twin.simulated - 1.0
        print(
            f"{count:>8}{ours.own:>12.0f}{twin.own:>10.0f}{ratio:>8.1f}  {target:<14}"
            f"{differs * 100:+.2f} % {verdict(abs(differs) <= SAME_THROUGHPUT)}"
        )


# --- the command line ----------------------------------------------------------------------------


def command_time(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Wall time and peak memory (bytes) of a run of spfvar."""
    spfvar = Path(sys.executable).with_name("spfvar")
    started = time.perf_counter()
    with subprocess.Popen(
        [str(spfvar), *arguments], env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        messages = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - started
    if process.returncode != 0:
        raise SystemExit(f"spfvar {' '.join(arguments)} failed: {messages.decode()}")
    unit = 1 if sys.platform == "darwin" else 1024
    return took, float(usage.ru_maxrss * unit)


def report_compare() -> None:
    """The default comparison with an empty and with a filled compile cache."""
    with tempfile.TemporaryDirectory(prefix="spfvar-bench-") as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache, "NUMBA_CACHE_DIR": f"{cache}/numba"}
        for state, wanted in (("cold", COLD_S), ("warm", WARM_S)):
            progress(f"spfvar compare, {state} compile cache")
            took, rss = command_time(["compare"], environment)
            met = verdict(took <= wanted)
            print(f"spfvar compare, {state} compile cache: {took:.1f} s, target <= {wanted:.0f} s {met}")
            memory = f"peak memory {rss / 1e6:.0f} MB, target < {RSS_BYTES / 1e6:.0f} MB"
            print(f"    {memory} {verdict(rss < RSS_BYTES)}")


def report_help(repeats: int) -> None:
    """What nobody wants to wait for."""
    progress("spfvar --help")
    took = statistics.median(command_time(["--help"], os.environ)[0] for _ in range(repeats + 1))
    print(f"spfvar --help: {took:.2f} s, target <= {HELP_S} s {verdict(took <= HELP_S)}")


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="part to run; repeatable (default: all)"
    )
    parser.add_argument(
        "--threads", default="1,8,64", help="thread counts of the engine part (default: 1,8,64)"
    )
    parser.add_argument("--repeats", type=int, default=5, help="runs of each program (default: 5)")
    options = parser.parse_args()
    parts = options.only or PARTS
    print(
        f"{_cpu_name()}, {os.cpu_count()} CPUs; Python {platform.python_version()}, "
        f"numba {version('numba')}, SimPy {version('simpy')}; "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    if "engine" in parts:
        report_engine([int(n) for n in options.threads.split(",")], options.repeats)
    if "compare" in parts:
        report_compare()
    if "help" in parts:
        report_help(options.repeats)
    if "explore" in parts:
        explore.report()
    if "hunt" in parts:
        hunt.report()
    if "spin" in parts:
        spin.report(*spin.DEFAULT)


if __name__ == "__main__":
    main()
