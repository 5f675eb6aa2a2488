"""Where work is done: what processes are told."""

from __future__ import annotations

from multiprocessing import spawn

from spfvar.matrix import executors


def test_workers_do_not_run_the_program_that_hunts() -> None:
    """A script without a guard by ``__name__`` would hunt in each of them: they are told of no main module."""
    keys = {"init_main_from_name", "init_main_from_path"}
    assert spawn.get_preparation_data("x").keys() & keys
    with executors._without_main():
        assert not spawn.get_preparation_data("x").keys() & keys
