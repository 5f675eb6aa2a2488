"""Patches as they were posted, if the environment says where: none is in the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

#: A folder with the RFC's patches as mails or diffs, by their numbers: 08.patch, 24.patch, ...
FOLDER = os.environ.get("SPFVAR_RFC_PATCHES", "")


def posted(number: int) -> Path:
    """The file of a patch; the test is skipped if there is none."""
    path = Path(FOLDER) / f"{number:02}.patch"
    if not FOLDER or not path.exists():
        pytest.skip("SPFVAR_RFC_PATCHES names no folder with this patch")
    return path
