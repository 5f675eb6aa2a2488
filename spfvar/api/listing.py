"""What there is, as frames; and things by name, as the objects that calls take."""

from __future__ import annotations

import pandas as pd

from spfvar.api.arguments import Inputs, Name, Names, texts, verb
from spfvar.api.rows import KINDS
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Variant
from spfvar.scenario.hardware import Profile
from spfvar.scenario.race import Race
from spfvar.scenario.schema import Scenario


def _listed(kind: str, plugins: Names = ()) -> pd.DataFrame:
    return pd.DataFrame(KINDS[kind](lambda: load_registry(texts(plugins))))


@verb
def list_variants(plugins: Names = ()) -> pd.DataFrame:
    """Every variant, a row each: name, title, kernel, source, patches, ..., origin."""
    return _listed("variants", plugins)


@verb
def list_series(plugins: Names = ()) -> pd.DataFrame:
    """Every series of patches, a row each: name, title, kernel, source, patches, origin."""
    return _listed("series", plugins)


@verb
def list_scenarios() -> pd.DataFrame:
    """Every load, a row each: name, title, axes (with their values), default, origin."""
    return _listed("scenarios")


@verb
def list_races() -> pd.DataFrame:
    """Every race, a row each: name, title, properties, threads, origin."""
    return _listed("races")


@verb
def list_twins(plugins: Names = ()) -> pd.DataFrame:
    """Every published bug put back into a variant: name, title, bug, fixed, race, property, origin."""
    return _listed("twins", plugins)


@verb
def list_hardware() -> pd.DataFrame:
    """Every hardware profile, a row each: name, title, cpus, fitted, origin."""
    return _listed("hardware")


@verb
def list_metrics() -> pd.DataFrame:
    """Every metric of a comparison, a row each: name, title, unit, better, doc, origin."""
    return _listed("metrics")


@verb
def list_events(plugins: Names = ()) -> pd.DataFrame:
    """Every event that a variant counts, a row each: name, title, roles, variants, origin."""
    return _listed("events", plugins)


@verb
def list_properties(plugins: Names = ()) -> pd.DataFrame:
    """Every property that `check` looks at, a row each: name, title, origin."""
    return _listed("properties", plugins)


@verb
def list_verbs() -> pd.DataFrame:
    """Every verb of the programs of races, a row each: name, title, names, keys, origin."""
    return _listed("verbs")


@verb
def list_memories() -> pd.DataFrame:
    """Every memory that generated races start from, a row each: name, title, origin."""
    return _listed("memories")


@verb
def list_hooks(plugins: Names = ()) -> pd.DataFrame:
    """Every hook point, a row each: name, title, signature, origin."""
    return _listed("hooks", plugins)


@verb
def list_primitives() -> pd.DataFrame:
    """Every primitive that a text may yield, a row each: name, title, signature, section, origin."""
    return _listed("primitives")


@verb
def list_layouts() -> pd.DataFrame:
    """Every struct layout, a row each: name, title, origin."""
    return _listed("layouts")


@verb
def get_variant(name: str, plugins: Names = ()) -> Variant:
    """A variant, a stack of a series' patches, or a twin, by name.  Raises InputError."""
    return Inputs(plugins).registry.any_variant(name)


@verb
def get_scenario(name: Name) -> Scenario:
    """A load, by name or file.  Raises InputError."""
    known = catalogue.scenarios()
    return known[known.select(texts(name))[0]]


@verb
def get_race(name: Name) -> Race:
    """A race, by name or file.  Raises InputError."""
    known = catalogue.races()
    return known[known.select(texts(name))[0]]


@verb
def get_hardware(name: Name) -> Profile:
    """A hardware profile, by name or file.  Raises InputError."""
    known = catalogue.hardware()
    return known[known.select(texts(name))[0]]
