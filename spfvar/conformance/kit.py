"""The kit: every check by name, run over a plugin's variants."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from spfvar.automata.extract import StrategyError
from spfvar.conformance import running, static
from spfvar.conformance.result import FAIL, NOT_RUN, PASS, Result, Trouble, short_place
from spfvar.conformance.running import Scope
from spfvar.conformance.static import Said
from spfvar.conformance.subject import Plugin, Subject
from spfvar.errors import InputError
from spfvar.scenario.race import Race

LOADS = "loads"


@dataclass(frozen=True, slots=True)
class Check:
    """A named check; ``needs`` is another one without which it cannot be run.

    A load may go round for ever under a variant that is not safe: no race of such a kind, no load.
    """

    name: str
    title: str
    run: Callable[[Subject, Scope], Said]
    needs: str = ""


def _static(check: Callable[[Subject], Said]) -> Callable[[Subject, Scope], Said]:
    return lambda subject, _scope: check(subject)


#: Checks of a variant, cheap ones first.  Before them the plugin itself has to load (`LOADS`).
CHECKS = {
    check.name: check
    for check in (
        Check("documented", "title, source, kernel version, patches and events are told",
              _static(static.documented)),
        Check("finished", "no TODO is left, and a draft has been read", _static(static.finished)),
        Check("hooks", "hook implementations have the names and arguments of hook points",
              _static(static.hook_points)),
        Check("automata", "every text ends and is the same when it is extracted twice",
              _static(static.automata), "hooks"),
        Check("sections", "locks and sections balance on every path, and nothing sleeps in them",
              _static(static.sections), "automata"),
        Check("references", "every path of a fault gives back what it took",
              _static(static.references), "automata"),
        Check("events", "what is counted is listed", _static(static.events), "automata"),
        Check("safe", "no race breaks a property", running.safe, "automata"),
        Check("runs", "every load runs to its end", running.runs, "safe"),
    )
}  # fmt: skip


#: Checks of a twin; what it does wrong on purpose is not looked for.
TWIN_CHECKS = {
    **{name: CHECKS[name] for name in ("hooks", "automata")},
    "twin": Check("twin", "its race shows the bug, and not without it", running.shows_bug, "automata"),
}
#: What can be asked for by name.
NAMES = (LOADS, *CHECKS, *(name for name in TWIN_CHECKS if name not in CHECKS))


def check_loads(plugin: Plugin) -> Result:
    """Does the plugin load, and does it define variants or twins?"""
    wrong = [Trouble(problem.message, "correct the plugin's module") for problem in plugin.problems]
    if not plugin.variants and not plugin.twins and not wrong:
        wrong = [Trouble("its VARIANTS list is empty", "put a Variant into it")]
    names = ", ".join([*(one.name for one in plugin.variants), *(one.name for one in plugin.twins)])
    return _result("", LOADS, names, wrong)


def check_variant(
    subject: Subject, scope: Scope, names: Sequence[str] = (), checks: Mapping[str, Check] = CHECKS
) -> Iterator[Result]:
    """Run checks of one variant (none named: all), in the table's order."""
    done: dict[str, Result] = {}
    for name in checks:
        if names and name not in names:
            continue
        done[name] = run_check(checks[name], subject, scope, done)
        yield done[name]


def run_check(check: Check, subject: Subject, scope: Scope, done: Mapping[str, Result]) -> Result:
    """Run one check, unless one that it needs is ``done`` and has not passed."""
    variant = subject.variant.name
    if check.needs in done and done[check.needs].status != PASS:
        return Result(variant, check.name, NOT_RUN, f"{check.needs} has to pass first")
    try:
        summary, wrong = check.run(subject, scope)
    except StrategyError as error:
        wrong = [_of_text(str(error))]
        summary = ""
    except Exception as error:  # the plugin's code, run by us
        wrong = [Trouble(f"{type(error).__name__}: {error}", "correct the plugin: it must not raise")]
        summary = ""
    return _result(variant, check.name, summary, wrong)


def _of_text(message: str) -> Trouble:
    """What the extractor says, its file and line apart."""
    found = re.fullmatch(r"(?:variant \S+: )?(?:(\S+:\d+): )?(.*)", message, re.DOTALL)
    where, what = found.groups() if found else ("", message)
    do = "correct the text at this line; docs/write-a-variant.md has the rules"
    return Trouble(what, do, short_place(where) if where else "")


def _result(variant: str, check: str, summary: str, wrong: Sequence[Trouble]) -> Result:
    if not wrong:
        return Result(variant, check, PASS, summary)
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return Result(variant, check, FAIL, f"{wrong[0].what}{more}", tuple(wrong))


def check_plugin(
    plugin: Plugin, races: Mapping[str, Race], scope: Scope, names: Sequence[str] = ()
) -> Iterator[Result]:
    """Everything, as it is found: the plugin, then each of its variants and twins."""
    yield check_loads(plugin)
    for variant in plugin.variants:
        yield from check_variant(Subject(variant, plugin.registry, races, plugin.name), scope, names)
    for twin in plugin.twins:
        try:
            variant = plugin.registry.any_variant(twin.name)
        except (InputError, StrategyError) as error:
            wrong = [Trouble(str(error), "name a variant that has the patches the twin goes with")]
            yield _result(twin.name, "twin", "", wrong)
            continue
        subject = Subject(variant, plugin.registry, races, plugin.name)
        yield from check_variant(subject, scope, names, TWIN_CHECKS)
