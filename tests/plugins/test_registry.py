"""The registry: built-ins and the user's plugins; a broken one is told of and disturbs nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.mm import hookspecs as hooks
from spfvar.plugins.registry import Registry, load_registry, sample_texts
from spfvar.plugins.variant import Variant
from tests.stacks import automata

GOOD = """
from spfvar.plugins.variant import Variant
VARIANTS = [Variant("{name}", "title", "v5.12", "here")]
"""
BUILT_INS = list(load_registry().variants)


def plugin(folder: Path, text: str, name: str = "mine.py") -> str:
    """Write a plugin file; returns its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_built_in_variants_all_work() -> None:
    """They load, have unique names and can be extracted."""
    registry = load_registry()
    assert registry.problems == []
    assert registry.check("spf-anon") == ["spf-anon"]
    assert registry.problems == []
    assert all(automata(variant) for variant in registry.variants)  # what a check extracts


def test_a_plugin_file_adds_its_variants_behind_the_built_in_ones(tmp_path: Path) -> None:
    """In order of discovery; the origin is the file."""
    path = plugin(tmp_path, GOOD.format(name="new"))
    registry = load_registry([path])
    assert list(registry.variants) == [*BUILT_INS, "new"]
    assert registry["new"].origin == path


def test_a_plugin_may_be_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever can be imported."""
    plugin(tmp_path, GOOD.format(name="modular"), "spfvar_test_module.py")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_registry(["spfvar_test_module"])["modular"].origin == "spfvar_test_module"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("x = 1\ndef broken(:\n", 2, "SyntaxError"),
        ("x = 1\n\nraise ValueError('two\\nlines')\n", 3, "ValueError: two lines"),
        ("import no_such_module_anywhere\n", 1, "ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit"),
        ("x = 1\n", 0, "defines no VARIANTS"),
        ("VARIANTS = 3\n", 1, "expected a list of Variant"),
        ("x = 1\nVARIANTS = ['mmap-lock']\n", 2, "which is no Variant"),
    ],
    ids=["syntax", "raises", "import", "exits", "no VARIANTS", "no list", "no Variant"],
)
def test_a_broken_plugin_becomes_a_problem_and_the_others_load(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    """The problem names file and line (where there is one); other plugins and the built-ins work."""
    bad = plugin(tmp_path, text, "bad.py")
    good = plugin(tmp_path, GOOD.format(name="new"), "good.py")
    registry = load_registry([bad, good])
    assert list(registry.variants) == [*BUILT_INS, "new"]
    [problem] = registry.problems
    assert problem.origin == bad
    assert says in problem.message
    assert "\n" not in problem.message
    if line:
        assert problem.message.startswith(f"{bad}:{line}: ")


def test_a_plugin_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit's error names the line that was running."""
    monkeypatch.setattr("spfvar.plugins.bounds.LOAD_SECONDS", 0.2)
    path = plugin(tmp_path, "while True:\n    pass\n")
    [problem] = load_registry([path]).problems
    assert "never ends" in problem.message
    assert path in problem.message


@pytest.mark.parametrize("name", ["no/such/file.py", "missing.py", "no_such_module_anywhere", "a..b"])
def test_a_missing_plugin_is_an_input_error(name: str) -> None:
    """The user mistyped it: nothing is run without it."""
    with pytest.raises(InputError, match="there is no plugin") as caught:
        load_registry([name])
    assert caught.value.key == "--plugin"


def test_a_directory_is_no_plugin(tmp_path: Path) -> None:
    """Neither a file nor a module."""
    with pytest.raises(InputError, match=r"is a directory; expected a \.py file"):
        load_registry([str(tmp_path)])


def test_hook_points_of_a_broken_plugin_are_taken_back(tmp_path: Path) -> None:
    """A plugin that declares a hook point and then fails can be loaded again once it is repaired."""
    declares = (
        "from spfvar.mm.hookspecs import hook_point\n"
        "@hook_point\ndef my_hook(vmf):\n    '''Doc.'''\n"
    )  # fmt: skip
    before = list(hooks.HOOKS)
    path = plugin(tmp_path, declares + "raise ValueError\n")
    assert load_registry([path]).problems
    assert list(hooks.HOOKS) == before
    plugin(tmp_path, declares + GOOD.format(name="repaired"))
    try:
        assert "repaired" in load_registry([path]).variants
    finally:
        hooks.HOOKS.pop("my_hook", None)


def test_an_unknown_variant_is_refused_with_the_nearest_name() -> None:
    """As every unknown name."""
    with pytest.raises(InputError, match="unknown variant 'spf-do-falt': did you mean 'spf-do-fault'"):
        load_registry()["spf-do-falt"]


def test_an_unknown_variant_may_be_one_of_a_plugin_that_did_not_load(tmp_path: Path) -> None:
    """The message says so: otherwise only a list of other names would be seen."""
    path = plugin(tmp_path, "import there_is_no_such_module")
    with pytest.raises(InputError, match=r"unknown variant 'mine'; not loaded: .*there_is_no_such_module"):
        load_registry([path])["mine"]
    with pytest.raises(InputError, match="unknown variant 'mine'; one of your own needs --plugin FILE"):
        load_registry()["mine"]


def test_a_variant_whose_text_is_broken_is_dropped_with_a_located_problem(tmp_path: Path) -> None:
    """check() extracts every kind of fault and writer; the others go on."""
    path = plugin(tmp_path, """
from spfvar.mm.hookspecs import hookimpl
from spfvar.plugins.variant import Variant
class Broken:
    @hookimpl
    def do_fault(self, vmf):
        yield "no op"
VARIANTS = [Variant("broken", "t", "k", "s", (Broken,)), Variant("fine", "t", "k", "s")]
""")  # fmt: skip
    registry = load_registry([path])
    assert registry.check("broken", "fine") == ["fine"]
    [problem] = registry.problems
    assert f"{path}:7: " in problem.message
    assert "variant broken" in problem.message


def test_a_patch_that_raises_while_it_is_made_is_a_problem(tmp_path: Path) -> None:
    """Any exception of a plugin's code is its own, and is located."""
    path = plugin(tmp_path, """
from spfvar.mm.hookspecs import hookimpl
from spfvar.plugins.variant import Variant
class Broken:
    def __init__(self):
        raise RuntimeError("no way")
    @hookimpl
    def do_fault(self, vmf):
        yield
VARIANTS = [Variant("broken", "t", "k", "s", (Broken,))]
""")  # fmt: skip
    registry = load_registry([path])
    assert registry.check("broken") == []
    assert f"{path}:6: patch Broken: no way" in registry.problems[0].message


def test_the_samples_cover_every_kind_of_fault_and_writer() -> None:
    """Reads, writes and writers, of anonymous, private and shared file memory."""
    names = [name for name, _ in sample_texts()]
    assert len(names) == len(set(names)) == 12
    for part in ("read fault", "write fault", "writers", "anonymous", "private file", "shared file"):
        assert any(part in name for name in names)


def test_variants_are_kept_in_order_and_first_come() -> None:
    """A second variant of a name is a problem; the first stays."""
    registry = Registry()
    first, second = Variant("v", "one", "k", "s"), Variant("v", "two", "k", "s")

    class Module:
        VARIANTS = (first, second)

    registry.add_module(Module, "x")  # type: ignore[arg-type]
    assert registry["v"].title == "one"
    assert len(registry.problems) == 1


def test_a_named_plugin_takes_the_place_of_what_was_there_unasked(tmp_path: Path) -> None:
    """In the shipped variant's place and order, and it says so; a second named one of that name is a problem."""
    name = BUILT_INS[1]
    first, second = (
        plugin(tmp_path, GOOD.format(name=name)),
        plugin(tmp_path, GOOD.format(name=name), "other.py"),
    )
    registry = load_registry([first, second])
    assert list(registry.variants) == BUILT_INS
    assert registry[name].origin == first
    shipped = load_registry()[name].origin
    assert registry[name].replaces == shipped
    assert str(registry.named[0]) == f"plugin {first}: variant {name} (replaces {name} from {shipped})"
    assert str(registry.named[1]) == f"plugin {second}: nothing that can be used"
    assert [problem.message for problem in registry.problems] == [
        f"variant {name!r} is already defined by {first}"
    ]


def test_a_plugin_that_is_named_twice_is_loaded_once(tmp_path: Path) -> None:
    """However its path is spelt."""
    path = plugin(tmp_path, GOOD.format(name="new"))
    again = str(tmp_path / ".." / tmp_path.name / "mine.py")
    registry = load_registry([path, again])
    assert registry.problems == []
    assert [str(one) for one in registry.named] == [
        f"plugin {path}: variant new", f"plugin {again}: named twice, loaded once"
    ]  # fmt: skip


def test_an_edit_is_noticed_at_once(tmp_path: Path) -> None:
    """Two texts of one length, written within a second: compiled code would be taken for the same."""
    for name in ("one", "two"):
        assert name in load_registry([plugin(tmp_path, GOOD.format(name=name))]).variants
    assert not (tmp_path / "__pycache__").exists()


SERIES = """
from spfvar.plugins.series import Series, SeriesPatch
SERIES = [Series("{name}", "title", "v5.12", "here", (SeriesPatch(1, "t", "m"), SeriesPatch(2, "t", "m")))]
"""


def test_a_plugin_may_hold_a_series_alone(tmp_path: Path) -> None:
    """Its stacks are variants by name, of the plugin's origin; it is no variant of a default comparison."""
    path = plugin(tmp_path, SERIES.format(name="mine"))
    registry = load_registry([path])
    assert registry.problems == []
    assert list(registry.variants) == BUILT_INS
    assert (registry["mine@1"].name, registry["mine@1"].origin) == ("mine@1", path)
    assert registry.check("mine~2") == ["mine~2"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SERIES.format(name="spf"), "'spf' is already defined by spfvar.variants.spf_series"),
        (SERIES.format(name=BUILT_INS[0]), f"'{BUILT_INS[0]}' is already defined by spfvar.variants"),
        (SERIES.format(name="a@b"), "ValueError: series 'a@b'"),
        ("SERIES = 'a message id'", 'SERIES is "a message id", expected a list of Series'),
        ("SERIES = [3]", "SERIES[0] is 3, which is no Series"),
        (GOOD.format(name="spf"), "variant 'spf' is already defined by spfvar.variants.spf_series"),
    ],
)
def test_a_series_that_cannot_be_used_becomes_a_problem(tmp_path: Path, text: str, says: str) -> None:
    """And what was there stays."""
    registry = load_registry([plugin(tmp_path, text)])
    assert [problem for problem in registry.problems if says in problem.message]
    assert registry["spf@3"].origin == "spfvar.variants.spf_series"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("spff@3", "unknown variant 'spff@3': did you mean 'spf@3'?"),
        ("sfp~24", "unknown variant 'sfp~24': did you mean 'spf~24'?"),
        ("spf-anon@3", "'spf-anon@3': spf-anon is no series; expected spf, spf-posted"),
        ("spf@38", "spf has no patch 38"),
    ],
)
def test_the_name_of_a_stack_is_told_what_is_wrong_with_it(name: str, says: str) -> None:
    """The nearest series with the same patches, or what the name lacks."""
    with pytest.raises(InputError) as caught:
        load_registry()[name]
    assert says in str(caught.value)
