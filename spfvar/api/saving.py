"""Answers in files, the same that the command line writes and reads."""

from __future__ import annotations

from spfvar.api.arguments import Name, texts, verb
from spfvar.api.checking import CheckFrame
from spfvar.api.comparing import ComparisonFrame
from spfvar.atomic import write_atomically
from spfvar.errors import InputError
from spfvar.matrix.runfile import run_text
from spfvar.matrix.saved import saved_text
from spfvar.review.model import Review


@verb
def save(answer: ComparisonFrame | CheckFrame | Review, file: Name) -> None:
    """Write an answer to a file, as ``--save`` of its command does: all of it or nothing.

    A comparison is read again by `load`, a check by `load_checks` and ``spfvar replay`` (TOML, or JSON if the
    file's name ends so), a review by `load_review`.  Raises InputError for what is none of them, such as a
    part of a frame, and for a place that cannot be written.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.save(spfvar.compare("spf-do-fault"), "monday.jsonl")  # doctest: +SKIP
    """
    [path] = texts(file)
    if isinstance(answer, ComparisonFrame):
        write_atomically(path, run_text(answer.run))
    elif isinstance(answer, CheckFrame):
        write_atomically(path, saved_text(answer.results, path))
    elif isinstance(answer, Review):
        write_atomically(path, answer.json())
    else:
        raise InputError(
            f"a {type(answer).__name__} cannot be saved", key="answer",
            expected="what compare, check or report returned, whole",
        )  # fmt: skip
