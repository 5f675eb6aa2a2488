"""--on and --dask: cells, searches and hunts on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from spfvar.errors import InputError

if TYPE_CHECKING:
    from spfvar.matrix.executors import Executor

Command = TypeVar("Command", bound=Callable[..., Any])


def cluster_options(command: Command) -> Command:
    """--on and --dask as arguments ``on`` and ``dask``, as `executor_for` takes them."""
    on = click.option(
        "--on", metavar="ADDRESS", help="Run on the workers of a Dask scheduler, such as tcp://host:8786."
    )
    dask = click.option("--dask", is_flag=True, help="Run on a Dask cluster of --jobs processes here.")
    return on(dask(command))


@contextmanager
def executor_for(
    on: str | None, dask: bool, jobs: int | None, plugins: Sequence[str]
) -> Iterator[Executor | None]:
    """The cluster that is asked for; None: this process and machine do it."""
    if on is not None and dask:
        raise InputError("names another cluster", key="--on", expected="--on or --dask, not both")
    if on is not None and jobs is not None:
        raise InputError("the cluster has its workers", key="--jobs", expected="--on without it")
    if on is None and not dask:
        yield None
        return
    from spfvar.cpus import available_cpus
    from spfvar.matrix import cluster

    processes = jobs or available_cpus()
    where = cluster.local(processes, plugins) if on is None else cluster.connected(on, plugins)
    with where as executor:
        yield executor
