"""A variant is a named stack of patches over the core's paths."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Annotated, Any

import pluggy

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import Extractor, StrategyError
from spfvar.automata.outline import outline
from spfvar.automata.weaken import MEMORIES, Memory
from spfvar.errors import InputError, unknown
from spfvar.mm import hookspecs
from spfvar.mm.context_switch import ContextSwitch
from spfvar.mm.dispatch import HandleFault
from spfvar.mm.dontunmap import MremapDontunmap
from spfvar.mm.exit import Exit
from spfvar.mm.fault import MmapLockFault
from spfvar.mm.filemap import FilemapFault
from spfvar.mm.filemap_read import FilemapRead
from spfvar.mm.fork import Fork
from spfvar.mm.fork_fails import FailedFork
from spfvar.mm.gup import GetUserPages
from spfvar.mm.khugepaged import Khugepaged
from spfvar.mm.ksm import Ksm
from spfvar.mm.map_fixed import UnmapFirst
from spfvar.mm.mempolicy import Mempolicy
from spfvar.mm.merge import Merge
from spfvar.mm.migrate import Migration
from spfvar.mm.mremap import Mremap
from spfvar.mm.outsiders import Outsiders
from spfvar.mm.proc import ProcMaps
from spfvar.mm.reclaim import Reclaim
from spfvar.mm.stack import ExpandStack
from spfvar.mm.swap import Swap
from spfvar.mm.swap_out import DirectSwap
from spfvar.mm.truncate import Truncation
from spfvar.mm.userfault import UserfaultMonitor
from spfvar.mm.vmf import spell
from spfvar.mm.writers import MmapLockWriters
from spfvar.ops.op import Call, Op, Steps
from spfvar.ops.properties import PROPERTIES
from spfvar.plugins import bounds, fields
from spfvar.plugins.bounds import CutOffError, bounded
from spfvar.plugins.fields import AsTuple, Costs, Line, Name, Names, Patches, Role, Text
from spfvar.plugins.patches import register
from spfvar.plugins.repairs import Repair, check_repairs, posted_stack
from spfvar.shown import Shown
from spfvar.structs.lines import CacheLines, touched_fields
from spfvar.structs.lines import Memory as MemoryOfStructs
from spfvar.structs.shipped import layout_named, name_for

#: What every stack stands on: the paths of v5.12 under mmap_lock.
CORE = (
    HandleFault,
    MmapLockFault,
    FilemapFault,
    Swap,
    DirectSwap,
    MmapLockWriters,
    Merge,
    Mremap,
    MremapDontunmap,
    Fork,
    FailedFork,
    Exit,
    Outsiders,
    ExpandStack,
    Mempolicy,
    ProcMaps,
    UnmapFirst,
    Truncation,
    FilemapRead,
    Reclaim,
    Migration,
    Khugepaged,
    GetUserPages,
    Ksm,
    ContextSwitch,
    UserfaultMonitor,
)


@dataclass(frozen=True)
class Event:
    """An event that a patch counts, and what it means for the tables.

    ``role`` is "attempt" (a fault was tried without mmap_lock), "abort" (it gave up) or "reason" (why).
    """

    name: Name
    role: Role
    doc: Line

    def __post_init__(self) -> None:
        fields.check(self)


@dataclass(frozen=True)
class Variant(Shown):
    """A design: ``patches`` are applied in order, the last one is the outermost.

    A patch is a class with hook implementations; ``source`` is a message id or a commit.  ``rivals`` are
    variants that readers will want it compared with: summaries say where the two differ.  ``compared``: is it
    part of a comparison that names no variants?  ``repairs`` say what the stack has unlike what was posted.

    ``layout`` names the struct layout that decides which fields share a cache line ("": the one of the kernel
    version that ``kernel`` begins with), ``apart`` the members, as "mm_struct.mm_users", that the patches put
    on lines of their own.  Neither changes what a protocol does, only how long it takes.

    ``costs`` are cost classes of its own, in nanoseconds of local work at one active core's frequency: what
    the machines' profiles do not have.  A class of theirs cannot be given another time.

    ``draft`` names the patch that the texts were drafted from; it goes when somebody has read them beside it.
    Until then, and as long as there is a `todo` in them, reports say DRAFT.

    The registry sets where it came from (``origin``) and the origin of the variant whose name it took
    (``replaces``).  Raises InputError for fields of other types, and ValueError for repairs that are none of
    this stack.
    """

    name: Name
    title: Line
    kernel: Line
    source: Line
    patches: Patches = ()
    events: Annotated[tuple[Event, ...], AsTuple] = ()
    description: Text = ""
    rivals: Names = ()
    compared: bool = True
    repairs: Annotated[tuple[Repair, ...], AsTuple] = ()
    layout: Line = ""
    apart: Names = ()
    costs: Costs = field(default_factory=dict, hash=False)
    draft: Line = ""
    origin: str = field(default="", compare=False)
    replaces: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        fields.check(self)
        fields.twice([event.name for event in self.events], f"variant {self.name}: event")
        try:
            check_repairs(self.patches, self.repairs)
        except ValueError as error:
            raise ValueError(f"variant {self.name}: {error}") from error

    def as_posted(self, name: str) -> Variant:
        """The stack without its repairs, under a name of its own."""
        return replace(
            self,
            name=name,
            title=f"{self.title}, as posted",
            description=f"{self.name} without its repairs.",
            patches=posted_stack(self.patches, self.repairs),
            repairs=(),
        )

    @property
    def memory(self) -> MemoryOfStructs:
        """Where the members of structs lie.  Raises InputError for a layout or member that does not exist."""
        name = self.layout or name_for(self.kernel)
        memory = MemoryOfStructs(name, layout_named(name), frozenset(self.apart))
        memory.check()
        return memory

    @property
    def is_shipped(self) -> bool:
        """Did it come with spfvar?"""
        return self.origin.startswith("spfvar.")

    def events_with(self, role: str) -> list[str]:
        """Names of the events with a role."""
        return [event.name for event in self.events if event.role == role]


@dataclass(frozen=True)
class Twin:
    """A published bug, put back into a design: what the checker has to find.

    ``bug`` is the bug's number in the documentation, ``fixed`` the name of the variant that does not have
    it; ``patches`` are stacked on that variant's, of which ``without`` are left out.  ``race`` has to show
    it as a violation of ``prop`` ("": a control, which has to be found safe).  ``race`` is a name, or the
    path of a TOML file, from the plugin's folder.  ``memory`` is the memory model that it takes to see the
    bug ("lkmm": a barrier is missing, and a machine that reorders nothing would be safe).  Raises InputError
    for fields of other types.
    """

    bug: Name
    title: Line
    source: Line
    fixed: Name
    race: Line
    prop: Line
    patches: Patches = ()
    without: Patches = ()
    description: Text = ""
    memory: Memory = "sc"
    origin: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        fields.check(self)
        if self.memory not in MEMORIES:
            raise unknown("memory model", self.memory, MEMORIES, key="Twin.memory")
        if self.prop and self.prop not in PROPERTIES:
            raise unknown("property", self.prop, PROPERTIES, key="Twin.prop")

    @property
    def name(self) -> str:
        """What the command line calls it."""
        return f"{self.bug.lower()}@{self.fixed}"

    def variant(self, fixed: Variant) -> Variant:
        """The fixed variant with the bug."""
        missing = [patch.__name__ for patch in self.without if patch not in fixed.patches]
        if missing:
            raise StrategyError(f"twin {self.name}: {fixed.name} has no patch {missing[0]}")
        return self.put_into(fixed, self.name)

    def put_into(self, stack: Variant, name: str) -> Variant:
        """A stack with the bug, whether or not it has what the fixed variant has."""
        kept = tuple(patch for patch in stack.patches if patch not in self.without)
        return replace(
            stack, name=name, title=self.title, source=self.source, patches=(*kept, *self.patches),
            repairs=(), origin=self.origin,
        )  # fmt: skip


class Stack:
    """A variant's hook points, resolved: pluggy runs here and nowhere else.

    ``linked``: what the simulator made of its texts (`spfvar.simulate.world.build_world`).
    """

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.linked: dict[Hashable, Any] = {}
        try:
            self.memory = variant.memory
        except InputError as error:
            raise StrategyError(f"variant {variant.name}: {error}") from error
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(_specifications())
        try:
            for patch in (*CORE, *variant.patches):
                register(self._manager, patch)
        except StrategyError as error:
            raise StrategyError(f"variant {variant.name}: {error}") from error
        self._parameters = {
            name: tuple(inspect.signature(spec).parameters) for name, spec in hookspecs.HOOKS.items()
        }
        self._extractor = Extractor(self._resolve, self._origin)
        self._origins: dict[str, tuple[type, ...] | None] = {}
        self._lock = Lock()
        self._cut: CutOffError | None = None

    def _resolve(self, name: str, args: tuple[Any, ...]) -> Steps:
        caller = getattr(self._manager.hook, name)
        wanted = self._parameters[name]
        if len(args) != len(wanted):
            raise StrategyError(f"{name}({', '.join(wanted)}) is called with {len(args)} arguments")
        steps = caller(**dict(zip(wanted, args, strict=True)))
        if steps is None:
            raise StrategyError(f"no patch of {self.variant.name} implements {name}")
        return steps  # type: ignore[no-any-return]

    def _origin(self, call: Call) -> Hashable:
        """What decides a call's text: for a function itself, for a hook point the patches that implement it.

        None if they are not all of the package: what a plugin's text depends on, nobody knows.
        """
        if not isinstance(call.target, str):
            return () if _is_of_package(call.target) else None
        if call.target not in self._origins:
            patches = self.patches_of(call.target)
            self._origins[call.target] = patches if all(map(_is_of_package, patches)) else None
        known, made = self._origins[call.target], self._made_of(call.target)
        return None if known is None or made is None else (*made, *known)

    def _made_of(self, hook: str) -> tuple[Hashable, ...] | None:
        """What else decides a hook point's text in this kind of stack; None: nobody can say."""
        return () if type(self)._resolve is Stack._resolve else None

    def automaton(
        self, name: str, text: Any, callers: bool = False, keep: bool = True, chains: bool = False,
        strong: bool = False,
    ) -> Automaton:  # fmt: skip
        """Extract a thread's text under this stack (`Extractor.automaton`); errors name the variant too."""
        with self._extracting():
            found = self._extractor.automaton(name, text, callers, keep, chains, strong)
            CacheLines(self.memory, touched_fields(found.ops()))  # raises for a field that no struct has
            return found

    @contextmanager
    def _extracting(self) -> Iterator[None]:
        """One thread at a time, and within bounds if the variant is somebody else's."""
        try:
            with self._lock, nullcontext() if self.variant.is_shipped else bounded(bounds.CHECK_SECONDS):
                if self._cut is not None:  # the next text would take as long to get there
                    raise self._cut
                yield
        except CutOffError as error:
            if self._cut is None:
                self._cut = CutOffError(f"variant {self.variant.name}: {error}")
            raise self._cut from error
        except (StrategyError, InputError) as error:
            raise StrategyError(f"variant {self.variant.name}: {error}") from error

    def calls(self) -> list[Call]:
        """Every call of a hook point in what was extracted so far: which facts it may get as arguments."""
        with self._lock:
            return [call for call in self._extractor.calls() if isinstance(call.target, str)]

    def returns(self, call: Call) -> tuple[Hashable, ...]:
        """Every value that a call of a hook point may return.  Raises StrategyError."""
        with self._extracting():
            return self._extractor.returns(call)

    def reached(self, call: Call) -> list[Call]:
        """Every call that a call leads to, itself first: callees behind the text that calls them.

        Raises StrategyError.
        """
        found: dict[Call, None] = {}
        ahead = [call]
        with self._extracting():
            while ahead:
                here = ahead.pop()
                if here not in found:
                    found[here] = None
                    ahead += reversed(self._extractor.callees(here))
        return list(found)

    def hooks_reached(self, text: Callable[[], Steps], known: dict[Call, frozenset[str]]) -> frozenset[str]:
        """The hook points that a thread's text comes to.

        ``known`` remembers those of calls, for other texts under this stack.  Raises StrategyError.
        """
        with self._extracting():
            return frozenset().union(*(self._below(call, known) for call in self._extractor.called_by(text)))

    def _below(self, call: Call, known: dict[Call, frozenset[str]]) -> frozenset[str]:
        if call not in known:
            names = {call.target} if isinstance(call.target, str) else set()
            known[call] = frozenset(names).union(
                *(self._below(callee, known) for callee in self._extractor.callees(call))
            )
        return known[call]

    def patches_of(self, hook: str) -> tuple[type, ...]:
        """The patches that implement a hook point, in the order in which they were stacked."""
        caller = getattr(self._manager.hook, hook, None)
        return () if caller is None else tuple(type(one.plugin) for one in caller.get_hookimpls())

    def outline(self, call: Call) -> list[str]:
        """The text of a hook point under this stack, for the call's facts, as lines (`automata.outline`).

        Raises StrategyError, also if no patch implements the hook point.
        """
        with self._extracting():
            return outline(*self._extractor.steps(call, spell))

    def texts(self) -> list[Op]:
        """The primitives of the texts that automata so far are made of, each at the line that yields it."""
        return list(self._extractor.texts())


def _is_of_package(made: Any) -> bool:
    """Is a class or function one of the package's modules, and not made while they run?"""
    module = getattr(made, "__module__", "")
    name = getattr(made, "__qualname__", "")
    return module.startswith("spfvar.") and getattr(sys.modules.get(module), name, None) is made


#: The stacks of variants by name, or why one could not be built.
Stacks = dict[str, Stack | StrategyError]


def stack_in(stacks: Stacks, variant: Variant) -> Stack:
    """A variant's stack, built once; why it cannot be is noted, too.  Raises StrategyError."""
    if variant.name not in stacks:
        try:
            stacks[variant.name] = Stack(variant)
        except StrategyError as error:
            stacks[variant.name] = error
    found = stacks[variant.name]
    if isinstance(found, StrategyError):
        raise found
    return found


def _specifications() -> type:
    namespace = {
        name: staticmethod(hookspecs.hookspec(spec, firstresult=True))
        for name, spec in hookspecs.HOOKS.items()
    }
    return type("HookSpecs", (), namespace)
