"""What `show` says of a scenario and of a hardware profile."""

from __future__ import annotations

from spfvar.cli.lines import said
from spfvar.scenario.hardware import Profile
from spfvar.scenario.schema import Axis, Region, Scenario, Statement
from spfvar.units import format_duration, format_percent, format_size


def scenario_lines(name: str, scenario: Scenario, origin: str) -> list[str]:
    """A load: what it does, on which axes."""
    lines = [f"{name}: {scenario.title}", f"source: {scenario.source or 'none given'}", f"file: {origin}"]
    if scenario.description:
        lines += ["", *scenario.description.strip().splitlines()]
    lines += ["", "Axes (--set NAME=VALUE; threads also by --threads):"]
    for axis_name, axis in scenario.axes.items():
        lines += axis_lines(axis_name, axis)
    lines += ["", "Regions:", *(f"  {region_line(region)}" for region in scenario.region), "", "Threads:"]
    for group in scenario.group:
        times = "without end" if group.repeat == 0 else f"{group.repeat} times"
        lines.append(f"  {group.threads} x {group.name}, {times}:")
        lines += [f"    {statement_line(statement)}" for statement in group.program]
    if scenario.threshold:
        own = ", ".join(f"{name} {format_percent(share)}" for name, share in scenario.threshold.items())
        lines += ["", f"Differences up to these are noise: {own}."]
    run = said("Run", "compare", "--scenario", name if origin == "shipped" else origin)
    return [*lines, "", *measure_lines(scenario), "", run]


def measure_lines(scenario: Scenario) -> list[str]:
    """What of a load is counted."""
    measure = scenario.measure
    faults = measure.faults or measure.faults_per_thread
    rounds = any(group.goes_round for group in scenario.group)
    if not faults and not rounds:
        return ["Measured: the whole run, until every thread has ended."]
    lines = ["Measured, at least:"]
    if faults:
        lines.append(f"  {_faults(measure.faults, measure.faults_per_thread)}, "
                     f"after {_faults(measure.warmup, measure.warmup_per_thread)} to warm up")  # fmt: skip
    if rounds:
        lines.append(f"  {_times(measure.rounds)} of each thread's program without end, "
                     f"after {_times(measure.warmup_rounds)}")  # fmt: skip
    return lines


def _faults(base: int, per_thread: int) -> str:
    parts = [str(base)] if base or not per_thread else []
    return " + ".join(parts + [f"{per_thread} per thread"] * (per_thread > 0)) + " faults"


def _times(rounds: int) -> str:
    return f"{rounds} round{'s' * (rounds != 1)}"


def axis_lines(name: str, axis: Axis) -> list[str]:
    """An axis with its default values, and the published one."""
    values = ", ".join(str(value) for value in axis.values)
    published = f" (published: {axis.published})" if axis.published is not None else ""
    choices = f" of {', '.join(axis.choices)}" if axis.choices else ""
    plausible = f"; plausible: {axis.range[0]} to {axis.range[1]}" if axis.range is not None else ""
    return [f"  {name} = {values}{choices}{published}", f"      {axis.doc}{plausible}"]


_BACKING = {
    "anon": "anonymous memory",
    "file": "a file",
    "swap": "anonymous memory that is in swap",
}


def region_line(region: Region) -> str:
    """A region in words."""
    size = _literal(region.size, format_size)
    parts = [f"{region.name}: {size} of {_BACKING[region.backing]}"]
    parts.append(f"{region.sharing}, one per {region.per}")
    parts.append("mapped from the start" if region.mapped else "mapped by the program")
    if region.window is not None:
        parts.append(f"each thread goes through its own part, {_literal(region.window, format_size)} in view")
    if region.backing == "swap":
        parts.append(f"swap cache holds {region.cached}")
    if region.backing == "file":
        window = _literal(region.fault_around, format_size)
        parts.append(f"page cache holds {region.cached}, fault-around {window}")
    return "; ".join(parts)


def statement_line(statement: Statement) -> str:
    """A step of a program in words."""
    verb, target = statement.verb, getattr(statement, statement.verb)
    if verb == "touch":
        return f"{statement.access} every page of {target}"
    if verb == "mprotect":
        return f"mprotect {target} to {statement.prot}"
    if verb == "madvise":
        return f"madvise {target} {statement.advice}"
    if verb == "brk":
        return f"brk: {statement.change} {target}"
    if verb == "next":
        return f"go on to the next {target}"
    if verb == "compute":
        return f"compute for {_literal(target, format_duration)}"
    return f"{verb} {target}"


def _literal(value: object, spell: object) -> str:
    return str(value) if isinstance(value, str) else str(spell(value))  # type: ignore[operator]


def profile_lines(name: str, profile: Profile) -> list[str]:
    """A hardware profile: the machine, and where its figures come from."""
    lines = [f"{name}: {profile.title}", f"source: {profile.source}"]
    if profile.description:
        lines += ["", *profile.description.strip().splitlines()]
    latency = profile.latency_ns
    lines += [
        "",
        f"{profile.sockets} sockets, {profile.cores} cores, {profile.cpus} CPUs; placement: {profile.place}",
        f"cache line transfer: {latency.core:g} ns within a core, {latency.cluster:g} within a cluster, "
        f"{latency.socket:g} within a socket, {latency.remote:g} across sockets",
        f"fitted: {', '.join(profile.fitted) or 'nothing'}",
    ]
    if profile.fidelity:
        lines.append(f"fidelity: {profile.fidelity}")
    return lines
