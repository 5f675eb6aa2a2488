"""Where work is done: in threads of this process, in processes of this machine, or on a cluster.

Cells, searches and slices of hunts are tasks; what does them is a *work*, made from a *recipe* wherever it is
needed.  The caller says which tasks there are and puts their results together by number, so that nothing that
it gives depends on who did what, or when.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from spfvar.apart import without_main
from spfvar.cpus import available_cpus
from spfvar.errors import InputError
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Variant
from spfvar.threads import in_threads, places

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

#: Tasks that each process has ahead of it.
AHEAD = 4


class Work(Protocol[T_contra, R_co]):
    """Does tasks of one kind; keeps what several of them need, such as extracted texts."""

    def run(self, task: T_contra, /) -> R_co:
        """Do one task; may be called by several threads."""

    def stop(self) -> None:
        """Nobody wants the results any more: end what is running soon."""


@dataclass(frozen=True)
class Recipe:
    """How to make a work in another process: ``make(variants by name, *arguments)``, all of which is pickled.

    ``make`` is a function of a module; ``names`` are the variants, which are loaded there by name.
    """

    make: Callable[..., Work[Any, Any]]
    names: tuple[str, ...]
    arguments: tuple[Any, ...]

    def made(self, plugins: Sequence[str]) -> Work[Any, Any]:
        """The work, with plugins loaded for itself.  Raises InputError for a name that is not known here."""
        registry = load_registry(plugins)
        variants: Mapping[str, Variant] = {name: registry.any_variant(name) for name in self.names}
        return self.make(variants, *self.arguments)


class Executor(Protocol):
    """Does tasks, several at a time.

    ``remote``: works are made elsewhere by their recipes, and keep nothing in the store of this process.
    """

    remote: bool

    def results(
        self, work: Work[T, R] | None, recipe: Recipe, tasks: Iterable[T]
    ) -> Generator[tuple[int, R], None, None]:
        """Number and result of each task, as they are finished; tasks are taken as they are needed.

        ``work`` does them where memory is shared, else one that is made by the recipe.  Whoever closes the
        generator ends what still runs.
        """


def executor_of(executor: Executor | None, jobs: int | None, tasks: float = math.inf) -> Executor:
    """The executor; if there is none, so many threads (default: the CPUs that the process may use)."""
    if jobs is not None and jobs < 1:
        raise InputError(f"{jobs} jobs", key="--jobs", expected="1 or more")
    return executor or Threads(int(min(jobs or available_cpus(), max(1, tasks))))


class Here:
    """One task after the other, in the thread that calls."""

    remote = False

    def results(
        self, work: Work[T, R] | None, recipe: Recipe, tasks: Iterable[T]
    ) -> Generator[tuple[int, R], None, None]:
        """In the order of the tasks."""
        assert work is not None
        with places(1):
            yield from enumerate(map(work.run, tasks))


class Threads:
    """Threads of this process, for work that does not hold the GIL."""

    remote = False

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def results(
        self, work: Work[T, R] | None, recipe: Recipe, tasks: Iterable[T]
    ) -> Generator[tuple[int, R], None, None]:
        """All of them are given out at once."""
        assert work is not None
        yield from in_threads(work.run, tasks, self._jobs, work.stop)


class Processes:
    """Processes of this machine, which load ``plugins`` for themselves."""

    remote = True

    def __init__(self, jobs: int, plugins: Sequence[str] = ()) -> None:
        self._jobs = jobs
        self._plugins = tuple(plugins)

    def results(
        self, work: Work[T, R] | None, recipe: Recipe, tasks: Iterable[T]
    ) -> Generator[tuple[int, R], None, None]:
        """A few tasks are ahead of each process: there may be millions of them."""
        pool = ProcessPoolExecutor(
            self._jobs, multiprocessing.get_context("spawn"), _begin, (recipe, self._plugins)
        )

        def submit(task: T) -> Future[R]:
            with without_main():
                return pool.submit(_run, task)

        try:
            with places(self._jobs):
                yield from _finished(submit, tasks, self._jobs * AHEAD)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _finished(submit: Callable[[T], Future[R]], tasks: Iterable[T], most: int) -> Iterator[tuple[int, R]]:
    """Results as they come, of which never more than ``most`` are under way."""
    numbered = enumerate(tasks)
    running: dict[Future[R], int] = {}
    done: SimpleQueue[Future[R]] = SimpleQueue()

    def begin(wanted: int) -> None:
        for number, task in itertools.islice(numbered, wanted):
            future = submit(task)
            running[future] = number
            future.add_done_callback(done.put)

    begin(most)
    while running:
        future = done.get()
        yield running.pop(future), future.result()
        begin(1)


_work: Work[Any, Any] | None = None


def _begin(recipe: Recipe, plugins: Sequence[str]) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends its workers
    _work = recipe.made(plugins)


def _run(task: Any) -> Any:
    assert _work is not None
    return _work.run(task)
