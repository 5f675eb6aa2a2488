"""The store: what was put is got back or nothing is, whatever happens to the file or to the processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spfvar.store import database
from spfvar.store.database import Store, default_path, key_of, opened, shared

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results.sqlite")


@given(content=JSON.filter(lambda value: value is not None))
@settings(max_examples=50, deadline=None)
def test_what_was_put_is_got_back(content: Any) -> None:
    """In the same process, floats to the last bit; another key has nothing."""
    memory = Store(Path("/dev/shm") / f"spfvar-test-{os.getpid()}.sqlite")
    try:
        memory.put("a", "run", "label", content)
        assert memory.get("a") == content
        assert memory.get("b") is None
        assert memory.trouble == ""
    finally:
        memory.close()
        for suffix in ("", "-wal", "-shm"):
            memory.path.with_name(memory.path.name + suffix).unlink(missing_ok=True)


def test_another_process_finds_it(tmp_path: Path) -> None:
    """Without the first one having closed the file."""
    path = tmp_path / "results.sqlite"
    first, second = Store(path), Store(path)
    first.put("a", "run", "label", [1.5])
    assert second.get("a") == [1.5]
    assert (second.hits, first.hits) == (1, 0)


def test_keys_tell_everything_apart() -> None:
    """Order, nesting and types count; the order of a mapping does not."""
    keys = [
        key_of("a", "b"),
        key_of("ab"),
        key_of("b", "a"),
        key_of(["a", "b"]),
        key_of(1),
        key_of("1"),
        key_of(1.0),
    ]
    assert len(set(keys)) == len(keys)
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})


@given(place=st.integers(min_value=0, max_value=1 << 30), value=st.integers(min_value=1, max_value=255))
@example(place=3822, value=128)  # in the schema: a name that is no UTF-8
@settings(max_examples=60, deadline=None)
def test_a_changed_byte_never_changes_a_result(place: int, value: int) -> None:
    """Wherever it is in the file: the content comes back as it was, or not at all, with a word about it.

    Whatever happened, the store can be used afterwards, or says that it cannot.
    """
    path = Path("/dev/shm") / f"spfvar-damage-{os.getpid()}.sqlite"
    try:
        made = Store(path)
        contents = {f"key {n}": {"metrics": [n / 7, n * 3.0], "text": "x" * n} for n in range(40)}
        for key, content in contents.items():
            made.put(key, "run", "label", content)
        made.close()
        data = bytearray(path.read_bytes())
        data[place % len(data)] ^= value
        path.write_bytes(data)
        damaged = Store(path)
        for key, content in contents.items():
            assert damaged.get(key) in (content, None)
        damaged.put("new", "run", "label", 1)
        assert damaged.get("new") == 1 or damaged.trouble
        damaged.close()
    finally:
        for file in path.parent.glob(path.name + "*"):
            file.unlink()


def test_a_damaged_entry_is_named_and_thrown_away(store: Store) -> None:
    store.put("a", "run", "label", 1)
    store.put("b", "run", "label", 2)
    with sqlite3.connect(store.path) as other:
        other.execute("UPDATE entry SET content = X'00' WHERE key = 'a'")
    assert store.verify() == (2, 1)
    assert store.get("a") is None
    assert store.get("b") == 2


def test_a_file_that_is_no_database_is_put_aside(tmp_path: Path) -> None:
    """It may be somebody's: it is not written over."""
    path = tmp_path / "results.sqlite"
    path.write_text("precious " * 1000)
    store = Store(path)
    assert store.trouble.startswith(
        f"{path}: was damaged (file is not a database) and is results.sqlite.damaged now"
    )
    store.put("a", "run", "label", 1)
    assert store.get("a") == 1
    assert (tmp_path / "results.sqlite.damaged").read_text() == "precious " * 1000


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """Even if a table of its own has the name of ours."""
    path = tmp_path / "theirs.sqlite"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE entry (precious TEXT)")
        theirs.execute("INSERT INTO entry VALUES ('data')")
    before = path.read_bytes()
    store = Store(path)
    store.put("a", "run", "label", 1)
    assert store.get("a") is None
    assert "is the database of another program" in store.trouble
    assert path.read_bytes() == before


def test_a_full_disk_costs_only_the_store(store: Store) -> None:
    """What was kept before is there the next time; nothing is raised."""
    store.put("a", "run", "label", 1)
    assert store._connection is not None
    store._connection.execute("PRAGMA max_page_count = 8").fetchall()
    for n in range(200):
        store.put(f"key {n}", "run", "label", os.urandom(2000).hex())
    assert "full" in store.trouble
    assert store.get("a") is None  # given up, in this process
    store.close()
    assert Store(store.path).get("a") == 1


def test_a_folder_that_cannot_be_made_costs_only_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "results.sqlite")
    store.put("a", "run", "label", 1)
    assert store.get("a") is None
    assert store.trouble.endswith("results are neither looked up nor kept")


def test_another_format_is_begun_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a", "run", "label", 1)
    store.close()
    monkeypatch.setattr(database, "FORMAT", database.FORMAT + 1)
    newer = Store(store.path)
    assert newer.get("a") is None
    newer.put("a", "run", "label", 2)
    assert newer.get("a") == 2


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    """The limit is kept when the store is closed; what was looked up stays."""
    path = tmp_path / "results.sqlite"
    store = Store(path)
    for n in range(100):
        store.put(f"key {n}", "run", "label", os.urandom(4000).hex())  # 4 kB each, packed
    store.close()
    time.sleep(0.01)
    again = Store(path, limit=200_000)
    assert again.get("key 3") is not None
    again.close()
    last = Store(path)
    assert last.size() <= 200_000
    assert last.get("key 3") is not None
    assert last.get("key 0") is None


def test_prune_throws_away_by_age_and_size(store: Store) -> None:
    for n in range(10):
        store.put(f"key {n}", "run", "label", n)
    assert store.prune(older_than=time.time() - 60) == 0
    assert store.prune(older_than=time.time() + 60) == 10
    store.put("a", "run", "label", 1)
    assert store.prune(size=0) == 1
    assert store.kinds() == []


WRITER = """
import sys
from pathlib import Path
from spfvar.store.database import Store
store = Store(Path(sys.argv[1]))
for n in range(100_000):
    store.put(f"{sys.argv[2]} {n}", "run", "label", [n, "x" * 50])
    print(n, flush=True)
"""


def test_processes_that_are_killed_lose_nothing_that_was_finished(tmp_path: Path) -> None:
    """Two at once, killed while they write, five times over: what each said it had put is there, and sound."""
    path = tmp_path / "results.sqlite"
    put: dict[str, int] = {}
    for turn in range(5):
        processes = {
            name: subprocess.Popen(
                [sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE, text=True
            )
            for name in (f"a{turn}", f"b{turn}")
        }
        for name, process in processes.items():
            assert process.stdout is not None
            for _ in range(20 + 7 * turn):
                put[name] = int(process.stdout.readline())
        for process in processes.values():
            process.send_signal(signal.SIGKILL)
            process.communicate()
    store = Store(path)
    assert store.verify()[1] == 0
    assert store.trouble == ""
    for name, last in put.items():
        for n in range(last + 1):
            assert store.get(f"{name} {n}") == [n, "x" * 50]


def test_it_lies_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPFVAR_STORE", str(tmp_path / "mine"))
    assert default_path() == tmp_path / "mine"
    monkeypatch.setenv("SPFVAR_STORE", "off")
    assert default_path() is None
    with opened() as store:
        assert store is None
    monkeypatch.delenv("SPFVAR_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "spfvar" / "results.sqlite"
    with opened(wanted=False) as store:
        assert store is None


def test_without_a_store_the_parts_of_a_command_share_one_in_memory(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves no file; a store that is there is the one that is shared, and stays open."""
    monkeypatch.chdir(tmp_path)
    files = set(tmp_path.iterdir())
    with shared(None) as own:
        own.put("a", "run", "label", 1)
        assert own.get("a") == 1
        assert own.trouble == ""
    assert own.get("a") is None
    assert set(tmp_path.iterdir()) == files
    with shared(store) as same:
        assert same is store
    store.put("a", "run", "label", 2)
    assert store.get("a") == 2
