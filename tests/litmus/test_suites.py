"""Litmus tests of others, where they are at hand: the enumerator says what their ``Result:`` claims.

``LITMUS_SUITES`` names their directories, with colons between; a kernel has them in ``tools/memory-model/
litmus-tests`` and ``Documentation/litmus-tests``.  Without it there is nothing to test here.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spfvar.litmus.parse import parse, read
from spfvar.litmus.text import litmus_text
from tests.litmus.axiomatic import verdict

SUITES = [Path(name) for name in os.environ.get("LITMUS_SUITES", "").split(":") if name]
FILES = sorted(path for suite in SUITES for path in suite.rglob("*.litmus"))


@pytest.mark.skipif(not FILES, reason="LITMUS_SUITES names no directory with litmus tests")
def test_every_claim_of_the_suites_is_the_enumerators() -> None:
    """Files without a claim are read, and no more."""
    wrong = {}
    for path in FILES:
        test = read(path)
        assert parse(litmus_text(test)) == test
        if test.result is not None and (found := verdict(test)) != test.result:
            wrong[path.name] = (found, test.result)
    assert wrong == {}
