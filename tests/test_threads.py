"""Threads for tasks: results as they come, errors and interrupts that end them all."""

from __future__ import annotations

import subprocess
import sys
from threading import Event

import pytest

from spfvar.threads import in_threads

#: Ctrl-C at any place of a thousand tasks, thirty times; prints how often it was told.
INTERRUPTED = """
import _thread
from spfvar.threads import in_threads

def task(number):
    if number == 300:
        _thread.interrupt_main()

told = 0
for _ in range(30):
    try:
        list(in_threads(task, range(1000), 2, lambda: None))
    except KeyboardInterrupt:
        told += 1
print(told)
"""


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_every_task_is_done_once_and_told_by_its_number(jobs: int) -> None:
    """In whatever order; more threads than tasks are no harm, and no task is none."""
    assert sorted(in_threads(lambda x: x * x, [3, 1, 2], jobs, pytest.fail)) == [(0, 9), (1, 1), (2, 4)]
    assert list(in_threads(lambda x: x, [], jobs, pytest.fail)) == []


def test_an_interrupt_ends_them_wherever_it_comes() -> None:
    """No lock stays taken that a thread needs to end its task: a process of its own, for it would wait for ever."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False, timeout=100
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "30\n", "")


def test_an_error_of_a_task_is_the_callers_and_ends_the_others() -> None:
    """What runs is told to stop, and what was not begun is not done."""
    begun: list[int] = []
    stopped = Event()

    def task(number: int) -> int:
        begun.append(number)
        if number == 2:
            assert stopped.wait(60)
        return 1 // number

    with pytest.raises(ZeroDivisionError):
        list(in_threads(task, [1, 0, 2, 3, 4], 1, stopped.set))
    assert begun in ([1, 0], [1, 0, 2])


def test_who_takes_no_more_results_ends_them() -> None:
    """The first result is enough; the second task waits until it is told to stop, the third is never begun."""
    begun: list[int] = []
    stopped = Event()

    def task(number: int) -> int:
        begun.append(number)
        if number:
            assert stopped.wait(60)
        return number

    results = in_threads(task, range(3), 1, stopped.set)
    assert next(results) == (0, 0)
    results.close()
    assert begun in ([0], [0, 1])
