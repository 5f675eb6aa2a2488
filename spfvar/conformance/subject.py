"""What the checks look at: a plugin, its variants, and the automata of everything that a variant decides."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from spfvar.automata.automaton import Automaton
from spfvar.mm import hookspecs as hooks
from spfvar.mm import vmf
from spfvar.ops.op import Steps
from spfvar.plugins.bounds import bounded
from spfvar.plugins.registry import BUILT_IN, Problem, Registry, Source, load_registry, sample_texts
from spfvar.plugins.variant import Stack, Twin, Variant
from spfvar.scenario.actors import actor_text
from spfvar.scenario.race import Race

#: Plugin code that takes longer to be extracted than this never ends.
EXTRACT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Text:
    """What a thread does: a fault, or else all writers in a row or an actor of a race."""

    name: str
    steps: Callable[[], Steps]
    is_fault: bool = False


def texts_of(races: Mapping[str, Race]) -> Iterator[Text]:
    """The samples, a fault on every other kind of mapping that a race has, and every actor."""
    for name, steps in sample_texts():
        yield Text(name, steps, is_fault=not name.startswith("writers"))
    mappings: dict[vmf.Mapping, str] = {}
    for race_name, race in races.items():
        for vma in race.vma:
            mappings.setdefault(race.mapping(vma), f"{vma.name} of {race_name}")
    for mapping, place in mappings.items():
        for write in (False, True):
            steps = partial(hooks.do_user_addr_fault, vmf.VmFault(write, mapping))
            yield Text(f"{'write' if write else 'read'} fault on {place}", steps, is_fault=True)
    for race_name, race in races.items():
        for actor in race.actor:
            yield Text(f"{actor.name} of {race_name}", actor_text(race, actor))


class Subject:
    """A variant under test.  What its checks share is made once, when it is first asked for.

    ``plugin`` is the file or module that it comes from, as ``--plugin`` has it.
    """

    def __init__(
        self, variant: Variant, registry: Registry, races: Mapping[str, Race], plugin: str = ""
    ) -> None:
        self.variant = variant
        self.registry = registry
        self.races = dict(races)
        self.plugin = plugin

    def command(self, verb: str, more: str) -> str:
        """A command about this variant that the reader can run."""
        shipped = self.variant.origin.startswith(BUILT_IN)
        load = "" if shipped else f" --plugin {shlex.quote(self.plugin or self.variant.origin)}"
        return f"spfvar {verb} {self.variant.name}{f' {more}' if more else ''}{load}"

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """What threads do, under whatever variant."""
        return tuple(texts_of(self.races))

    @cached_property
    def automata(self) -> dict[str, Automaton]:
        """The texts' automata under the variant.  Raises StrategyError."""
        return self.extract(self.variant)

    def extract(self, variant: Variant, names: Collection[str] | None = None) -> dict[str, Automaton]:
        """The texts' automata, or those of some texts, under a fresh stack.  Raises StrategyError."""
        with bounded(EXTRACT_SECONDS):
            stack = Stack(variant)
            return {
                text.name: stack.automaton(text.name, text.steps)
                for text in self.texts if names is None or text.name in names
            }  # fmt: skip

    def core(self, names: Collection[str]) -> dict[str, Automaton]:
        """The automata of some texts without any patch."""
        return self.extract(Variant("core", "", "", ""), names)

    @cached_property
    def faults(self) -> dict[str, Automaton]:
        """The automata of the faults."""
        return {text.name: self.automata[text.name] for text in self.texts if text.is_fault}


@dataclass(frozen=True)
class Plugin:
    """A plugin as it was loaded: without other installed plugins, so that those cannot get in its way."""

    name: str
    registry: Registry
    variants: tuple[Variant, ...]
    problems: tuple[Problem, ...]
    twins: tuple[Twin, ...] = ()


def load_plugin(file_or_module: str) -> Plugin:
    """Load a plugin by file or module, a shipped one too.  InputError if there is none by that name.

    What is wrong with one that does not load is in ``problems``, as are variants and twins whose texts had to
    be cut off; these are left out.
    """
    registry = load_registry(installed=False)
    shipped, shipped_twins, earlier = set(registry.variants), set(registry.twins), len(registry.problems)
    if file_or_module not in registry.modules:
        registry.add_tried([Source("named", file_or_module)])
    variants = [
        variant for name, variant in registry.variants.items()
        if name not in shipped or variant.origin == file_or_module
    ]  # fmt: skip
    twins = [
        twin for name, twin in registry.twins.items()
        if name not in shipped_twins or twin.origin == file_or_module
    ]  # fmt: skip
    problems = registry.problems[earlier:]
    registry.check(*(variant.name for variant in variants), *(twin.name for twin in twins))
    stopped = [problem for problem in registry.problems[earlier + len(problems) :] if problem.cut]
    out = {problem.variant for problem in stopped}
    return Plugin(
        file_or_module, registry, tuple(one for one in variants if one.name not in out),
        (*problems, *stopped), tuple(one for one in twins if one.name not in out),
    )  # fmt: skip
