"""The store: one SQLite file below the user's cache directory, for several processes at once.

An entry is kept under a key that says all that decides it, so that nothing in here is ever out of date; what
is no longer asked for is thrown away when the file grows too large.  Every entry has a checksum.  The store
is a convenience: whatever happens to it (no disk space, no permission, a damaged file, another process that
holds it for too long), the caller computes, and `Store.trouble` says once what was the matter.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from spfvar.caches import cache_root
from spfvar.errors import reason

#: Of the tables and of what is in them; a file of another one is begun anew.
FORMAT: Final = 1
#: Bytes that the file may have when it is closed, and what is left when it had more.
LIMIT: Final = 1 << 28
_KEPT_SHARE: Final = 0.8
#: Milliseconds to wait for another process that writes.
_PATIENCE_MS: Final = 5000
#: Where it lies, if not where it always does; "off": there is none.
VARIABLE: Final = "SPFVAR_STORE"
OFF: Final = "off"

_TABLES: Final = """
CREATE TABLE entry (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, content BLOB NOT NULL,
    checksum BLOB NOT NULL, made REAL NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX entry_used ON entry (used);
"""
_TABLES_THERE: Final = "SELECT name FROM sqlite_master WHERE type = 'table'"
_INSERT: Final = "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """The entries of one kind: how many, their bytes; Unix times of the first made and the last used."""

    kind: str
    entries: int
    size: int
    first: float
    last: float


def default_path() -> Path | None:
    """``$SPFVAR_STORE``, or a file below the cache directory; None if it is switched off."""
    named = os.environ.get(VARIABLE)
    if named == OFF:
        return None
    return Path(named) if named else cache_root() / "results.sqlite"


@contextlib.contextmanager
def opened(wanted: bool = True) -> Iterator[Store | None]:
    """The user's store; None if it is not ``wanted``, or switched off."""
    path = default_path() if wanted else None
    if path is None:
        yield None
        return
    store = Store(path)
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def shared(store: Store | None) -> Iterator[Store]:
    """The store; without one a store in memory, for what the parts of one command have in common."""
    if store is not None:
        yield store
        return
    own = Store(Path(":memory:"))
    try:
        yield own
    finally:
        own.close()


def key_of(*parts: object) -> str:
    """A key for all of these together: JSON values, whose order matters."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """Entries by key; may be used by several threads.

    ``trouble``: what went wrong, "" if nothing did; then nothing is found, or kept, any more.  ``hits``: how
    often something was found.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.path = path
        self.trouble = ""
        self.hits = 0
        self._limit = limit
        self._lock = Lock()
        self._seen: set[str] = set()
        self._connection: sqlite3.Connection | None = None
        with self._lock:
            self._connect()

    # --- entries ---------------------------------------------------------------------------------

    def get(self, key: str, counts: bool = True) -> Any:
        """What was kept under a key; None if nothing was.  ``counts``: it is one of the hits."""

        def fetch(connection: sqlite3.Connection) -> Any:
            found = connection.execute("SELECT content, checksum FROM entry WHERE key = ?", (key,)).fetchone()
            if found is None:
                return None
            content = self._whole(connection, key, *found)
            self.hits += counts and content is not None
            return content

        return self._safely(fetch)

    def get_all(self, keys: Sequence[str]) -> list[Any] | None:
        """What was kept under some keys, in their order; None if any is missing."""
        marks = ",".join("?" * len(keys))
        query = f"SELECT key, content, checksum FROM entry WHERE key IN ({marks})"

        def fetch(connection: sqlite3.Connection) -> list[Any] | None:
            rows = connection.execute(query, keys).fetchall()
            found = {key: self._whole(connection, key, *rest) for key, *rest in rows}
            if any(found.get(key) is None for key in keys):
                return None
            self.hits += len(keys)
            return [found[key] for key in keys]

        return self._safely(fetch)

    def _whole(self, connection: sqlite3.Connection, key: str, packed: bytes, checksum: bytes) -> Any:
        """An entry's value, which is used now; None, and it is thrown away, if it is damaged."""
        content = _content(key, packed, checksum)
        if content is None:
            connection.execute("DELETE FROM entry WHERE key = ?", (key,))
            self._tell(f"{self.path}: an entry is damaged (its checksum differs); it is computed again")
        else:
            self._seen.add(key)
        return content

    def put(self, key: str, kind: str, label: str, content: Any) -> None:
        """Keep a JSON value; ``kind`` and ``label`` are for who looks at the store."""
        packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode())
        now = time.time()
        row = (key, kind, label, packed, _checksum(key, packed), now, now)
        self._safely(lambda connection: connection.execute(_INSERT, row))

    # --- the whole file --------------------------------------------------------------------------

    def kinds(self) -> list[Kind]:
        """What there is, by kind."""
        query = (
            "SELECT kind, COUNT(*), SUM(LENGTH(content)), MIN(made), MAX(used) FROM entry GROUP BY kind"
            " ORDER BY kind"
        )
        rows = self._safely(lambda connection: connection.execute(query).fetchall()) or []
        return [Kind(*row) for row in rows]

    def size(self) -> int:
        """Bytes of the file's pages."""
        return self._safely(_bytes) or 0

    def prune(self, older_than: float = 0.0, size: int | None = None) -> int:
        """Throw away what was used last before ``older_than`` (Unix time), then the oldest down to ``size``.

        Returns the number of entries thrown away.
        """

        def throw(connection: sqlite3.Connection) -> int:
            thrown = connection.execute("DELETE FROM entry WHERE used < ?", (older_than,)).rowcount
            connection.execute("PRAGMA incremental_vacuum").fetchall()
            if size is not None:
                thrown += _shrink(connection, size)
            return thrown

        return self._safely(throw) or 0

    def verify(self) -> tuple[int, int]:
        """Look at every checksum, throw away what is damaged; entries looked at, and thrown away."""

        def look(connection: sqlite3.Connection) -> tuple[int, int]:
            for (text,) in connection.execute("PRAGMA integrity_check"):
                if text != "ok":
                    raise sqlite3.DatabaseError(text)
            looked, damaged = 0, []
            for key, packed, checksum in connection.execute("SELECT key, content, checksum FROM entry"):
                looked += 1
                if _content(key, packed, checksum) is None:
                    damaged.append((key,))
            connection.executemany("DELETE FROM entry WHERE key = ?", damaged)
            return looked, len(damaged)

        return self._safely(look) or (0, 0)

    def used_elsewhere(self, hits: int, trouble: str) -> None:
        """Another process has used the same file meanwhile: its hits, and what was the matter there."""
        with self._lock:
            self.hits += hits
            self._tell(trouble)

    def close(self) -> None:
        """Note what was used, and keep the size limit."""

        def leave(connection: sqlite3.Connection) -> None:
            now = time.time()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "UPDATE entry SET used = ? WHERE key = ?", ((now, key) for key in self._seen)
            )
            connection.execute("COMMIT")
            if _bytes(connection) > self._limit:
                _shrink(connection, int(_KEPT_SHARE * self._limit))

        self._safely(leave)
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # --- what may go wrong -----------------------------------------------------------------------

    def _safely(self, action: Callable[[sqlite3.Connection], T]) -> T | None:
        """Run it with the connection; None, and trouble noted, if the database does not let it."""
        with self._lock:
            if self._connection is None:
                return None
            try:
                return action(self._connection)
            except sqlite3.OperationalError as error:  # full, locked, not permitted: not the file's fault
                self._give_up(str(error))
            except sqlite3.DatabaseError as error:
                self._begin_anew(str(error))
        return None

    def _connect(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _open(self.path)
        except OSError as error:
            self._give_up(reason(error))
        except sqlite3.OperationalError as error:
            self._give_up(str(error))
        except sqlite3.DatabaseError as error:
            self._begin_anew(str(error))

    def _begin_anew(self, why: str) -> None:
        """Put a damaged file aside, so that somebody may look at it, and begin another one."""
        aside = self.path.with_name(self.path.name + ".damaged")
        try:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            os.replace(self.path, aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            self._connection = _open(self.path)
        except (OSError, sqlite3.Error) as error:
            self._give_up(f"{why}; {error}")
            return
        self._tell(f"{self.path}: was damaged ({why}) and is {aside.name} now; what it had is computed again")

    def _give_up(self, why: str) -> None:
        self._tell(f"{self.path}: {why}; results are neither looked up nor kept")
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _tell(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble


def _open(path: Path) -> sqlite3.Connection:
    """Every statement is a transaction of its own; a process that is killed loses none that was finished."""
    connection = sqlite3.connect(
        path, timeout=_PATIENCE_MS / 1000, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = lambda text: text.decode(errors="replace")  # a damaged file's need not be UTF-8
    try:
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if tables - {"entry"} or (tables and not _format(connection)):
            raise sqlite3.OperationalError("is the database of another program")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
        if _format(connection) != FORMAT:
            connection.execute("BEGIN IMMEDIATE")
            if _format(connection) != FORMAT:  # nobody else was faster
                connection.execute("DROP TABLE IF EXISTS entry")
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("COMMIT")
    except UnicodeDecodeError as error:  # SQLite's message quotes a damaged schema
        connection.close()
        raise sqlite3.DatabaseError("its schema is no text") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _format(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _bytes(connection: sqlite3.Connection) -> int:
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    [free] = connection.execute("PRAGMA freelist_count").fetchone()
    [page] = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * page)


def _shrink(connection: sqlite3.Connection, size: int) -> int:
    """Throw away what was not used for longest until the file has no more than ``size`` bytes."""
    thrown = 0
    while _bytes(connection) > size:
        oldest: Iterable[tuple[str]] = connection.execute(
            "SELECT key FROM entry ORDER BY used LIMIT max(1, (SELECT COUNT(*) FROM entry) / 10)"
        ).fetchall()
        if not oldest:
            break
        connection.executemany("DELETE FROM entry WHERE key = ?", oldest)
        thrown += len(list(oldest))
    connection.execute("PRAGMA incremental_vacuum").fetchall()
    return thrown


def _checksum(key: str, packed: bytes) -> bytes:
    return hashlib.blake2b(packed, key=key.encode()[:64], digest_size=16).digest()


def _content(key: str, packed: bytes, checksum: bytes) -> Any:
    """An entry's value; None if it is damaged."""
    if checksum != _checksum(key, packed):
        return None
    return json.loads(zlib.decompress(packed))
