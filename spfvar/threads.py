"""Threads that do tasks which do not hold the GIL, and that Ctrl-C ends wherever it comes.

Not those of `concurrent.futures`: its locks are Python's own, and an interrupt that comes while one is taken
leaves it taken, for which the threads that end their tasks then wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_threads(
    do: Callable[[T], R], tasks: Iterable[T], jobs: int, stop: Callable[[], None]
) -> Generator[tuple[int, R], None, None]:
    """Number and result of each task, as they are finished; all are given out at once.

    What a task raises is raised here.  Then, after an interrupt, and where the generator is closed, nothing
    more is begun, and ``stop`` is called, which tells what still runs to end soon.
    """
    todo: SimpleQueue[tuple[int, T] | None] = SimpleQueue()
    done: SimpleQueue[tuple[int, R | BaseException]] = SimpleQueue()
    given = 0
    for task in tasks:
        todo.put((given, task))
        given += 1
    threads = [Thread(target=_serve, args=(do, todo, done)) for _ in range(min(jobs, given))]
    try:
        for thread in threads:
            thread.start()
        for _ in range(given):
            number, found = done.get()
            if isinstance(found, BaseException):
                raise found
            yield number, found
    except BaseException:
        with suppress(Empty):
            while True:
                todo.get_nowait()
        stop()
        raise
    finally:
        for _ in threads:
            todo.put(None)
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join()


def _serve(
    do: Callable[[T], R],
    todo: SimpleQueue[tuple[int, T] | None],
    done: SimpleQueue[tuple[int, R | BaseException]],
) -> None:
    """Do what is to be done until there is a None."""
    while (task := todo.get()) is not None:
        try:
            done.put((task[0], do(task[1])))
        except BaseException as error:  # raised where it was asked for
            done.put((task[0], error))
