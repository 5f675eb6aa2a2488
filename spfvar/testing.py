"""A pytest plugin: the conformance kit as tests of a plugin's own, one for each variant and check.

It is not active by itself.  A test module asks for it, and says which plugin it is about:

    pytest_plugins = ["spfvar.testing"]
    SPFVAR_PLUGIN = "my_idea.py"  # a file, from the test module's folder, or an importable module

    def test_conforms(conformance_check):
        conformance_check()

``spfvar_variants`` are the plugin's variants by name, for tests of what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from spfvar.conformance.kit import CHECKS, LOADS, check_loads, run_check
from spfvar.conformance.result import NOT_RUN, PASS, Result
from spfvar.conformance.running import Scope
from spfvar.conformance.subject import Plugin, Subject, load_plugin
from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.plugins.variant import Variant
from spfvar.render.conformance import result_lines

#: What a test module names its plugin by.
NAME = "SPFVAR_PLUGIN"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for ``conformance_check`` is run once for each check of each variant."""
    if "conformance_check" not in metafunc.fixturenames:
        return
    plugin = _loaded(_named(metafunc.module))
    cases = [("", LOADS), *((variant.name, check) for variant in plugin.variants for check in CHECKS)]
    ids = [f"{variant}-{check}" if variant else check for variant, check in cases]
    metafunc.parametrize("conformance_check", cases, ids=ids, indirect=True)


@pytest.fixture
def conformance_check(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Run this test's check: it fails with what is wrong and what to do."""
    variant, check = request.param
    plugin = _named(request.module)

    def run() -> None:
        result = _result(plugin, variant, check)
        text = "\n".join(result_lines(result))
        if result.status == NOT_RUN:
            pytest.skip(f"{check}: {result.summary}")
        if result.status != PASS:
            pytest.fail(text, pytrace=False)

    return run


@pytest.fixture
def spfvar_variants(request: pytest.FixtureRequest) -> Mapping[str, Variant]:
    """The variants of the test module's plugin, by name."""
    return {variant.name: variant for variant in _loaded(_named(request.module)).variants}


def _named(module: object) -> str:
    """The plugin that a test module is about."""
    name = getattr(module, NAME, None)
    if not isinstance(name, str):
        pytest.fail(f'the test module has no {NAME} = "FILE or MODULE"', pytrace=False)
    beside = Path(str(getattr(module, "__file__", ""))).parent / name
    return str(beside) if beside.is_file() else name


@cache
def _loaded(plugin: str) -> Plugin:
    try:
        return load_plugin(plugin)
    except InputError as error:
        message = str(error.located(key=NAME))
    pytest.fail(message, pytrace=False)


@cache
def _subject(plugin: str, variant: str) -> Subject:
    loaded, races = _loaded(plugin), catalogue.races()
    found = next(one for one in loaded.variants if one.name == variant)
    return Subject(found, loaded.registry, {name: races[name] for name in races.select(())}, plugin)


@cache
def _result(plugin: str, variant: str, check: str) -> Result:
    """A check's result; those that it needs are run first."""
    if not variant:
        return check_loads(_loaded(plugin))
    needs = CHECKS[check].needs
    done = {needs: _result(plugin, variant, needs)} if needs else {}
    return run_check(CHECKS[check], _subject(plugin, variant), Scope(), done)
