"""Work on several machines: an executor for `dask.distributed`, which is an optional extra (spfvar[dask]).

The plan, the store and the results stay with the process that asks; workers are told what to do by name, load
designs for themselves, and hand results back, so that one that dies loses only what it had not handed back.
A worker whose spfvar, libraries or plugins are not those of this process is refused: it might give others.
"""

from __future__ import annotations

import logging
import pickle
import platform
import time
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import metadata
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

import spfvar
from spfvar.errors import InputError, SpfvarError
from spfvar.matrix.executors import AHEAD, Recipe, Work
from spfvar.matrix.keys import package_digest
from spfvar.matrix.runs import digest_of
from spfvar.plugins.registry import load_registry

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")
R = TypeVar("R")

#: Seconds to wait for a scheduler, and for its first worker.
PATIENCE: float = 30.0
#: Seconds between looks at how many workers there are.
_LOOK_EVERY: Final = 1.0
#: Works that a worker keeps: of a comparison, of a check and of a hunt, say.
_KEPT: Final = 4
_ALIKE: Final = "the same everywhere"
_MISSING: Final = "dask.distributed is not installed"
_INSTALL: Final = "pip install 'spfvar[dask]'"
_GONE: Final = "the scheduler is gone; what was finished is in the store, if one is used"
_ADDRESS: Final = "the address of a running one, such as tcp://scheduler:8786"
_NO_TLS: Final = "TLS needs certificates"
_TLS: Final = "those of this client in Dask's configuration, under distributed.comm.tls"


class ClusterError(SpfvarError):
    """The cluster cannot do it."""


def fingerprint() -> dict[str, str]:
    """What has to be the same everywhere."""
    return {
        "spfvar": spfvar.__version__,
        "its files": package_digest()[:12],
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": metadata.version("numpy"),
        "numba": metadata.version("numba"),
    }


@dataclass(frozen=True)
class _Order:
    """What a worker needs to make its work: recipe, plugins, and what it has to have the same of."""

    recipe: Recipe
    plugins: tuple[str, ...]
    same: Mapping[str, str]
    texts: Mapping[str, str]


class Cluster:
    """Does tasks on the workers of a client's cluster."""

    remote = True

    def __init__(self, client: Client, plugins: Sequence[str] = ()) -> None:
        """``plugins``: files or modules that workers find by the same names.  InputError: other versions."""
        self.client = client
        self._plugins = tuple(plugins)
        self._same = fingerprint()
        self._ahead, self._look_again = 0, 0.0
        self._check()

    def _check(self) -> None:
        """Refuse workers that are not like this process, by what differs."""
        try:
            found = self.client.run(fingerprint)
        except Exception as error:  # whatever a worker without spfvar, or with another one, makes of it
            raise InputError(
                f"a worker cannot be asked for its spfvar: {error}",
                key="--on",
                expected=f"spfvar {spfvar.__version__} on every worker",
            ) from None
        for address, theirs in sorted(found.items()):
            if difference := _difference(self._same, theirs):
                raise InputError(f"worker {address} has {difference}", key="--on", expected=_ALIKE)

    def results(
        self, work: Work[T, R] | None, recipe: Recipe, tasks: Iterable[T]
    ) -> Generator[tuple[int, R], None, None]:
        """A few tasks are ahead of each worker.

        ClusterError if one task ends worker after worker, or if the scheduler is gone.
        """
        from distributed import CancelledError, KilledWorker, as_completed
        from distributed.comm import CommClosedError

        registry = load_registry(self._plugins)
        texts = {name: digest_of(registry.any_variant(name)) for name in recipe.names}
        blob = pickle.dumps(_Order(recipe, self._plugins, self._same, texts))
        key = uuid.uuid4().hex  # a work of this call's own: what it leaves out is in these results
        # A task of its own: the scheduler makes it again where the worker that had it died.
        order = self.client.submit(_identity, blob, key=f"spfvar-order-{key}")
        numbered = enumerate(tasks)
        running: dict[Any, int] = {}

        def submit(number: int, task: T) -> Any:
            future = self.client.submit(_done, key, order, pickle.dumps(task), pure=False)
            running[future] = number
            return future

        begun = [submit(*one) for one in islice(numbered, self._most())]
        queue = as_completed(begun, loop=self.client.loop)
        try:
            for future in queue:
                number = running.pop(future)
                try:
                    result: R = future.result()
                except KilledWorker as error:
                    raise ClusterError(f"a task ended one worker after the other: {error}") from None
                except (CancelledError, CommClosedError):  # nobody else cancels what is waited for
                    raise ClusterError(_GONE) from None
                for one in islice(numbered, max(1, self._most() - len(running))):
                    queue.add(submit(*one))
                future.release()
                yield number, result
        finally:
            self.client.cancel([*running, order])

    def _most(self) -> int:
        """Tasks under way: workers may come and go, which is looked up now and then."""
        now = time.monotonic()
        if now > self._look_again:
            try:
                threads: int = sum(self.client.nthreads().values())
            except OSError:
                raise ClusterError(_GONE) from None
            self._ahead, self._look_again = AHEAD * max(1, threads), now + _LOOK_EVERY
        return self._ahead


def _identity(blob: bytes) -> bytes:
    return blob


_works: dict[str, Work[Any, Any]] = {}
_making = Lock()


def _done(key: str, blob: bytes, task: bytes) -> Any:
    """On a worker: do a task by the work of this order, which is made once."""
    with _making:
        if key not in _works:
            while len(_works) >= _KEPT:
                _works.pop(next(iter(_works)))
            _works[key] = _made(pickle.loads(blob))
        work = _works[key]
    return work.run(pickle.loads(task))


def _made(order: _Order) -> Work[Any, Any]:
    if difference := _difference(order.same, fingerprint()):
        raise InputError(f"a worker has {difference}", key="--on", expected=_ALIKE)
    registry = load_registry(order.plugins)
    for name, digest in order.texts.items():
        if digest_of(registry.any_variant(name)) != digest:
            raise InputError(f"a worker has another text of {name}", key="--on", expected=_ALIKE)
    return order.recipe.made(order.plugins)


def _difference(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """ "numpy 2.1.0, not 2.3.0"; "" if all is the same."""
    told = (f"{name} {there.get(name)}, not {mine}" for name, mine in here.items() if there.get(name) != mine)
    return "; ".join(told)


# --- clusters ------------------------------------------------------------------------------------


@contextmanager
def connected(address: str, plugins: Sequence[str] = ()) -> Iterator[Cluster]:
    """The cluster of a scheduler, such as "tcp://scheduler:8786".  Raises InputError if there is none."""
    client = _client(address, key="--on")
    with _quiet():
        try:
            yield _with_workers(client, plugins, address)
        finally:
            client.close()


def _quiet() -> AbstractContextManager[None]:
    """What Dask's client writes of a scheduler that is gone, and how, is told in one message here."""
    from distributed.utils import silence_logging_cmgr

    quiet: AbstractContextManager[None] = silence_logging_cmgr(logging.CRITICAL)
    return quiet


@contextmanager
def local(jobs: int, plugins: Sequence[str] = ()) -> Iterator[Cluster]:
    """A cluster of so many processes on this machine, which ends with the block."""
    try:
        from distributed import LocalCluster
    except ImportError:
        raise InputError(_MISSING, key="--dask", expected=_INSTALL) from None
    with LocalCluster(
        n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        client = _client(cluster.scheduler_address, key="--dask")
        try:
            yield _with_workers(client, plugins, "the local cluster")
        finally:
            client.close()


def _client(address: str, key: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise InputError(_MISSING, key=key, expected=_INSTALL) from None
    _check_address(address, key)
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no scheduler at {address}: {error or type(error).__name__}", key=key, expected=_ADDRESS
        ) from None


def _check_address(address: str, key: str) -> None:
    """Refuse what a client fails at when its thread runs already, which nobody would end then."""
    from dask import config
    from distributed.comm.addressing import parse_address, parse_host_port
    from distributed.security import Security

    scheme, place = parse_address(address)
    try:
        host, port = parse_host_port(place)
    except ValueError:
        host, port = "", 0
    if scheme not in ("tcp", "tls") or not host or "/" in host or not 0 < port < 65536:
        raise InputError(f"{address!r} is no address of a scheduler", key=key, expected=_ADDRESS)
    if scheme == "tls" and not config.get("distributed.client.security-loader", None):
        try:
            context = Security().get_connection_args("client").get("ssl_context")
        except OSError as error:  # no such file, or none of that kind
            raise InputError(f"{_NO_TLS}: {error}", key=key, expected=_TLS) from None
        if context is None:
            raise InputError(_NO_TLS, key=key, expected=_TLS)


def _with_workers(client: Client, plugins: Sequence[str], where: str) -> Cluster:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise InputError(f"{where} has no workers", key="--on", expected="at least one") from None
    return Cluster(client, plugins)
