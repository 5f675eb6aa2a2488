"""The table of what verbs mean: complete, and the same that schema and texts have."""

from __future__ import annotations

import subprocess
import sys

import pytest

from spfvar.scenario.actors import actor_text
from spfvar.scenario.race import Race, RaceStatement
from spfvar.scenario.verbs import FILE_VERBS, VERBS
from tests.scenario.test_race import PROGRAMS, memory_of, race


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_what_it_does_and_has_a_text(verb: str) -> None:
    """Every verb yields something, and tells readers what, with words for each of its needs."""
    meaning = VERBS[verb]
    assert meaning.name == verb
    assert meaning.does
    assert all(need.text for need in meaning.needs)
    read = Race.model_validate(race(**memory_of(verb), actor=[{"name": "x", "program": PROGRAMS[verb]}]))
    assert next(actor_text(read, read.actor[0])()) is not None


def test_what_is_claimed_is_mapped_afterwards() -> None:
    """A place is taken in order to have something there."""
    for verb in VERBS.values():
        assert set(verb.claims) <= set(verb.maps), verb.name
        assert "to" in verb.extras or "to" not in (*verb.maps, *verb.unmaps, *verb.claims), verb.name


def test_keys_that_a_verb_does_not_have_are_refused() -> None:
    """With the keys that it has."""
    with pytest.raises(ValueError, match=r"munmap has no prot; expected nothing but the verb"):
        Race.model_validate(race(actor=[{"name": "x", "program": [{"munmap": "a", "prot": "r"}]}]))
    with pytest.raises(ValueError, match=r"store has no fast; expected only page"):
        Race.model_validate(race(actor=[{"name": "x", "program": [{"store": "a", "fast": True}]}]))


def test_file_verbs_name_files() -> None:
    """They are fields of statements, too."""
    assert set(FILE_VERBS) < set(VERBS) <= set(RaceStatement.model_fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("del verbs.VERBS['madvise']", "no meaning in spfvar.scenario.verbs: madvise"),
        ("verbs.VERBS['mlock'] = verbs.Verb('mlock', 'mlock')", "no meaning in spfvar.scenario.verbs: mlock"),
    ],
)
def test_a_verb_without_a_meaning_does_not_load(change: str, message: str) -> None:
    """Nor does a meaning without a verb."""
    code = f"import spfvar.scenario.verbs as verbs; {change}; import spfvar.scenario.race"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert message in done.stderr
