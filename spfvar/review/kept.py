"""Whole reviews in the store: the second form of a review is drawn from what the first one was made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Final

from spfvar.matrix.keys import package_digest
from spfvar.review.build import Scope
from spfvar.review.model import Review
from spfvar.review.questions import questions
from spfvar.review.reviewfile import as_data, from_data
from spfvar.scenario.race import race_hash
from spfvar.store.database import Store, key_of

#: The kind of entries.
REVIEW: Final = "review"


def kept_review(store: Store | None, scope: Scope, line: str, make: Callable[[], Review]) -> Review:
    """The review of a scope, from the store or by ``make``; only the ``line`` that makes it again is its own.

    Reviews of plugins are made each time, for their texts may read whatever they like; so are those that a
    bound of time or memory may have ended, or of which something could not be run.
    """
    key = review_key(scope) if store is not None else ""
    if store is None or not key:
        return make()
    found = store.get(key)
    if found is not None:
        review = from_data(found)
        return replace(review, provenance=replace(review.provenance, reproduce=line))
    review = make()
    if not review.not_run:
        store.put(key, REVIEW, scope.variant.name, as_data(review))
    return review


def review_key(scope: Scope) -> str:
    """Of all that a review depends on; "" for one that is not kept."""
    bounded = math.isfinite(scope.bounds.seconds) or scope.bounds.max_bytes is not None
    if bounded or scope.plugins or not all(variant.is_shipped for variant in scope.variants):
        return ""
    known = questions()
    files = {name: known.text(name) for name in (known.select(scope.asked) if scope.asked else ())}
    return key_of(
        REVIEW, package_digest(), [variant.name for variant in scope.variants], scope.plan.hardware,
        scope.plan.matrix_hash, dict(scope.once),
        {name: race_hash(race) for name, race in scope.races.items()}, repr(scope.patch),
        scope.threads, repr(asdict(scope.bounds)), list(scope.asked), files, scope.generated, scope.memory,
    )  # fmt: skip
