"""Which of the variants is what a kernel does: found from its version."""

from __future__ import annotations

import re

from spfvar.calibration.host import version
from spfvar.errors import InputError
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Variant

_RELEASE = re.compile(r"v\d+\.\d+( \+ later fixes)?")


def design_of(registry: Registry, release: str) -> Variant:
    """The newest kernel's own design that is not newer than a release; of an older release, the oldest.

    A kernel's own design has no patches, or is named for its version; others that name a version are
    proposals for it.  Raises InputError if there is none.
    """
    own = {
        version(variant.kernel): variant
        for variant in registry.variants.values()
        if _RELEASE.fullmatch(variant.kernel)
        and (not variant.patches or variant.name.endswith("-{}.{}".format(*version(variant.kernel))))
    }
    if not own:
        raise InputError("no variant is a kernel's own design", key="--design", expected="a variant's name")
    known = [found for found in own if found <= version(release)]
    return own[max(known) if known else min(own)]
