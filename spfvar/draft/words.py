"""The words of drafts: those that audits have, too, and what a text writes for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from packaging.version import Version
from pydantic import BaseModel, ConfigDict

from spfvar.csource.words import Words, releases, words_for
from spfvar.toml_input import load_toml

_RELEASE = re.compile(r"v?(\d+\.\d+)")
#: C that says the same in several ways, and the way in which the table has it.
_NORMAL: Final = (
    (re.compile(r"\bvmf(?:->|\.)vma\b"), "vma"),
    (re.compile(r"\bpvma\."), "vma->"),
    (re.compile(r"\b(?:vma->vm_mm|current->mm|tsk->mm)\b"), "mm"),
    (re.compile(r"\b(?:vmf(?:->|\.)flags|mm_flags|fault_flags)\b"), "flags"),
)


class DraftWords(BaseModel):
    """The table `words.toml`; its comments say what each part is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    functions: Mapping[str, str]
    hooks: Mapping[str, str]
    letters: Mapping[str, str]
    calls: Mapping[str, str]
    told: Mapping[str, list[str]]
    caches: Mapping[str, str]
    facts: Mapping[str, str]
    flags: Mapping[str, str]
    conditions: Mapping[str, str]
    statements: Mapping[str, str]
    returns: Mapping[str, Mapping[str, str]]
    truths: Mapping[str, tuple[str, str]]
    elsewhere: Mapping[str, list[str]]
    silent: Mapping[str, list[str]]


@cache
def draft_words() -> DraftWords:
    """The table."""
    return load_toml(resources.files("spfvar.draft") / "words.toml", DraftWords)


def words_near(kernel: str) -> Words:
    """The words of the release that is nearest to a variant's kernel, which may be older than all."""
    found = _RELEASE.match(kernel)
    version = Version(found[1]) if found is not None else Version("0")
    known = releases()
    fitting = [release for release in known if Version(release) <= version]
    return words_for(fitting[-1] if fitting else known[0])


def normal(text: str) -> str:
    """C as the table writes it."""
    for pattern, plain in _NORMAL:
        text = pattern.sub(plain, text)
    return text
