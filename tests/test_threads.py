"""Threads for tasks: results as they come, errors and interrupts that end them all; two lanes of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from threading import Barrier, Event, Lock, current_thread

import pytest

from spfvar.threads import Watch, beside, in_threads, places

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

#: Ctrl-C while both lanes work, or one has ended, fifty times; prints how often it was told, and who still runs.
INTERRUPTED_LANES = """
import _thread, threading
from spfvar.threads import beside, in_threads

def lane(count, watch):
    for _ in in_threads(task, range(count), 2, lambda: None):
        watch()

def task(number):
    if number == 40:
        _thread.interrupt_main()

told = 0
for i in range(50):
    lengths = (20, 3000) if i % 2 else (3000, 3000)
    try:
        beside(*(lambda watch, n=n: lane(n, watch) for n in lengths), 2)
    except KeyboardInterrupt:
        told += 1
print(told, threading.active_count())
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


def test_two_lanes_give_what_each_gives() -> None:
    """The first in the thread that calls, the second in one of its own; a lane without any tasks is no harm."""
    here = current_thread()
    assert beside(lambda _: current_thread() is here, lambda _: current_thread() is here, 2) == (True, False)

    def squares(count: int) -> Callable[[Watch], list[tuple[int, int]]]:
        return lambda _: sorted(in_threads(lambda x: x * x, range(count), 2, pytest.fail))

    assert beside(squares(3), squares(5), 2) == tuple([(x, x * x) for x in range(n)] for n in (3, 5))


class Counted:
    """Tasks of two lanes that run at the same time; the most of them, and of each lane's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now = [0, 0]
        self.most = 0
        self.of_lane = [0, 0]

    def task(self, lane: int) -> None:
        """One that takes a moment."""
        with self._lock:
            self._now[lane] += 1
            self.most = max(self.most, sum(self._now))
            self.of_lane[lane] = max(self.of_lane[lane], self._now[lane])
        time.sleep(0.002)
        with self._lock:
            self._now[lane] -= 1


@pytest.mark.parametrize("jobs", [2, 3, 4])
def test_lanes_share_the_jobs(jobs: int) -> None:
    """Never more tasks than jobs, though each lane has a thread for all; alone, a lane has all of them."""
    counted = Counted()

    def lane(number: int, count: int) -> None:
        list(in_threads(lambda _: counted.task(number), range(count), jobs, pytest.fail))

    beside(lambda _: lane(0, 20), lambda _: lane(1, 100), jobs)
    assert counted.most == jobs
    assert counted.of_lane[1] == jobs


def test_a_lane_waits_for_no_more_than_its_share() -> None:
    """Of two places each lane has one, and keeps it between two of its tasks: each waits for the other's."""
    together = Barrier(2)

    def lane(_: Watch) -> None:
        list(in_threads(lambda _: together.wait(60), range(50), 2, pytest.fail))

    beside(lane, lane, 2)


def test_places_are_taken_for_tasks_that_are_done_elsewhere() -> None:
    """Two of four for processes: the other lane's tasks have two then.  Outside of lanes nothing is counted."""
    counted = Counted()
    taken, done = Event(), Event()

    def processes(_: Watch) -> None:
        with places(2):
            taken.set()
            assert done.wait(60)

    def tasks(_: Watch) -> None:
        assert taken.wait(60)
        list(in_threads(lambda _: counted.task(0), range(30), 4, pytest.fail))
        done.set()

    beside(tasks, processes, 4)
    assert counted.most == 2
    with places(3):
        pass


@pytest.mark.parametrize("first", [True, False])
def test_an_error_in_one_lane_ends_the_other(first: bool) -> None:
    """It is the caller's, and the other lane gets no further than its next look."""
    looked: list[int] = []

    def fails(_: Watch) -> None:
        list(in_threads(lambda x: 1 // x, [1, 0], 1, lambda: None))

    def goes_on(watch: Watch) -> None:
        for number, _ in in_threads(lambda _: time.sleep(0.001), range(10**5), 1, lambda: None):
            looked.append(number)
            watch()

    one, other = (fails, goes_on) if first else (goes_on, fails)
    with pytest.raises(ZeroDivisionError):
        beside(one, other, 2)
    assert len(looked) < 10**5


def test_an_interrupt_ends_both_lanes_wherever_it_comes() -> None:
    """Nobody waits for ever, and no thread is left: a process of its own, as above."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_LANES], capture_output=True, text=True, check=False, timeout=100
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "50 1\n", "")
