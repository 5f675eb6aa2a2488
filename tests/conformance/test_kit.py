"""The kit: a plugin that is not well made fails by the check's name, with what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.conformance.kit import CHECKS, check_loads, check_plugin
from spfvar.conformance.result import FAIL, NOT_RUN, PASS, Result, number, short_place
from spfvar.conformance.running import Scope
from spfvar.conformance.subject import load_plugin, texts_of
from spfvar.matrix import catalogue

STATIC = [name for name in CHECKS if name not in ("safe", "runs")]
HEADER = """
from spfvar.mm.hookspecs import hook_point, hookimpl
from spfvar.mm.vmf import VMFault
from spfvar.ops import objects as o
from spfvar.ops.primitives import at, count, rcu_read_lock, work
from spfvar.plugins.variant import Event, Variant
"""
GOOD = '"mine", "a title", "v5.12", "not posted"'


def check(folder: Path, text: str, names: list[str]) -> dict[str, Result]:
    """Write a plugin and run checks of it: results by name; without races, so the samples only."""
    path = folder / "mine.py"
    path.write_text(HEADER + text, encoding="utf-8")
    results = check_plugin(load_plugin(str(path)), {}, Scope(), names)
    return {result.check: result for result in results}


@pytest.mark.parametrize(
    ("patch", "arguments", "name", "what", "do"),
    [
        ("", '"mine", " ", "v5.12", "not posted"', "documented", "its title is ' '", "give the Variant a line"),
        ("", '"mine@2", "t", "v5.12", "s"', "documented", "its name is 'mine@2'", "such as my-idea"),
        ("", '"mine", "t", "v5.12", "TODO"', "documented", "its source is 'TODO'", "message id"),
        ("", '"mine", "t", "mainline", "s"', "documented", "its kernel is 'mainline'", "such as v6.12"),
        ("", f'{GOOD}, events=(Event("e", "reason", ""),)', "documented", "event e is not explained", "a doc"),
        ("class P:\n    @hookimpl\n    def mmap(self):\n        yield work('x')\n", f"{GOOD}, (P,)",
         "documented", "patch P has no docstring", "what it changes"),
        ("", f'{GOOD}, draft="1.patch"', "finished", "drafted from 1.patch, with 0 TODOs", "delete draft="),
        ("class P:\n    '''D.'''\n    @hookimpl\n    def do_falt(self, vmf):\n        yield work('x')\n",
         f"{GOOD}, (P,)", "hooks", "P implements do_falt, which is no hook point", "did you mean do_fault?"),
        ("class P:\n    '''D.'''\n    @hookimpl\n    def do_fault(self, pte):\n        yield work('x')\n",
         f"{GOOD}, (P,)", "hooks", "P.do_fault() takes pte, which the hook point has not", "it has vmf"),
        ("class P:\n    '''D.'''\n    def do_fault(self, vmf):\n        yield work('x')\n",
         f"{GOOD}, (P,)", "hooks", "P.do_fault() is named like a hook point", "put @hookimpl above it"),
        ("class P:\n    '''D.'''\n    @hookimpl(wrapper=True)\n    def do_fault(self, vmf):\n        return 1\n",
         f"{GOOD}, (P,)", "hooks", "P.do_fault() is a wrapper without a yield", "below = yield"),
        ("class P:\n    '''D.'''\n    def __init__(self, n):\n        pass\n    @hookimpl\n"
         "    def mmap(self):\n        yield work('x')\n",
         f"{GOOD}, (P,)", "hooks", "missing 1 required positional argument", "without arguments"),
        ("class P:\n    '''D.'''\n    @hookimpl\n    def do_fault(self, vmf):\n        yield 3\n",
         f"{GOOD}, (P,)", "automata", "do_fault yields 3, which is no op", "docs/write-a-variant.md"),
        ("SEEN = []\nclass P:\n    '''D.'''\n    @hookimpl\n    def do_fault(self, vmf):\n"
         "        SEEN.append(1)\n        yield work('x')\n        if len(SEEN) > 8:\n            yield work('y')\n"
         "        return VMFault.SIGBUS\n",
         f"{GOOD}, (P,)", "automata", "is another automaton when it is extracted again", "no global"),
        ("class P:\n    '''D.'''\n    @hookimpl\n    def do_fault(self, vmf):\n        yield rcu_read_lock()\n"
         "        return VMFault.SIGBUS\n",
         f"{GOOD}, (P,)", "sections", "ends with an RCU section held", "give it back on this path"),
        ("class P:\n    '''D.'''\n    @hookimpl\n    def do_fault(self, vmf):\n        yield count('mine')\n"
         "        return VMFault.SIGBUS\n",
         f"{GOOD}, (P,)", "events", "counts mine, which its events do not list", 'add Event("mine"'),
        ("", f'{GOOD}, rivals=("mmap-lok",)', "documented", "its rival 'mmap-lok' is no variant", "mean mmap-lock?"),
        ("", f'{GOOD}, events=(Event("e", "attempt", "d"),)', "events", "none of the role abort", "count aborts"),
    ],
)  # fmt: skip
def test_what_is_wrong_fails_one_check_and_says_what_to_do(
    tmp_path: Path, patch: str, arguments: str, name: str, what: str, do: str
) -> None:
    """The trouble names it, and says what to do."""
    needed = ["hooks", "automata", name] if CHECKS[name].needs else [name]
    results = check(tmp_path, f"{patch}\nVARIANTS = [Variant({arguments})]\n", needed)
    failed = results[name]
    assert failed.status == FAIL
    assert any(what in trouble.what and do in trouble.do for trouble in failed.troubles), failed.troubles


def test_a_check_that_needs_a_failed_one_is_not_run(tmp_path: Path) -> None:
    """Without automata there are no paths; what needs none is checked all the same."""
    patch = "class P:\n    @hookimpl\n    def do_fault(self, vmf):\n        yield 3\n"
    results = check(tmp_path, f"{patch}VARIANTS = [Variant({GOOD}, (P,))]\n", [])
    status = {name: result.status for name, result in results.items()}
    assert (status["documented"], status["hooks"], status["automata"]) == (FAIL, PASS, FAIL)
    assert {status[n] for n in ("sections", "references", "events", "safe", "runs")} == {NOT_RUN}


def test_a_path_is_told_with_text_function_file_and_line(tmp_path: Path) -> None:
    """The section of the plugin below ends nowhere: who took it, on which path of which text."""
    text = (
        "class P:\n    '''D.'''\n    @hookimpl\n    def do_fault(self, vmf):\n        yield work('x')\n"
        "        yield rcu_read_lock()\n        return VMFault.SIGBUS\nVARIANTS = [Variant("
        + GOOD
        + ", (P,))]\n"
    )
    [trouble] = check(tmp_path, text, ["sections"])["sections"].troubles
    line = (HEADER + text).splitlines().index("        yield rcu_read_lock()") + 1
    assert trouble.where == f"{tmp_path / 'mine.py'}:{line}"
    assert trouble.what == "rcu_read_lock() in do_fault(): a path ends with an RCU section held"
    # Of the samples, a read of a private file is the first that comes by.
    assert trouble.details[0] == "text: read fault, private file"
    assert trouble.details[1].startswith("path: mmap_read_trylock(mm->mmap_lock): ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", "defines no VARIANTS list"),
        ("VARIANTS = []\n", "its list VARIANTS is empty"),
        ("raise RuntimeError('boom')\n", "RuntimeError: boom"),
    ],
)
def test_a_plugin_that_does_not_load_fails_before_its_variants(tmp_path: Path, text: str, says: str) -> None:
    """One result, that of loading."""
    results = check(tmp_path, text, STATIC)
    assert list(results) == ["loads"]
    assert results["loads"].status == FAIL
    assert says in results["loads"].summary


def test_a_shipped_module_can_be_checked_too() -> None:
    """By its name; its variants are those that its VARIANTS list has."""
    plugin = load_plugin("spfvar.variants.spf")
    assert [variant.name for variant in plugin.variants] == ["spf-anon", "spf-do-fault", "spf-map-pages"]
    assert check_loads(plugin).status == PASS


def test_texts_have_names_of_their_own_and_every_kind_of_mapping() -> None:
    """The samples, both accesses to each further kind of mapping of the races, every actor."""
    races = catalogue.races()
    texts = list(texts_of({name: races[name] for name in races.names()}))
    names = [text.name for text in texts]
    assert len(names) == len(set(names))
    assert sum(text.is_fault for text in texts) > 20
    assert "khugepaged of retract-read" in names


def test_places_are_short_and_numbers_agree(tmp_path: Path) -> None:
    """From the package, from here, or absolute; "1 patch", "2 patches"."""
    import spfvar.mm.fault

    assert short_place(f"{spfvar.mm.fault.__file__}:7") == "spfvar/mm/fault.py:7"
    assert short_place(f"{Path('mine.py').resolve()}:3") == "mine.py:3"
    assert short_place(f"{tmp_path}/mine.py:3") == f"{tmp_path}/mine.py:3"
    assert [number(1, "patch"), number(2, "patch"), number(0, "text")] == ["1 patch", "2 patches", "0 texts"]
