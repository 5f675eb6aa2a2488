"""How far a review is, in one line: two of its phases may be under way."""

from __future__ import annotations

from spfvar.review.build import PHASES, Progress


def in_one_line(progress: Progress) -> Progress:
    """Tells ``progress`` of all phases that are under way, as if they were one.

    By number and name; of all but the last, how much is done is part of the name.
    """
    running: dict[str, tuple[int, int]] = {}

    def told(phase: str, done: int, total: int) -> None:
        for other in [name for name, (before, of) in running.items() if before >= of]:
            del running[other]
        running[phase] = done, total
        *others, last = sorted(running, key=PHASES.index)
        texts = [f"{_numbered(name)}: {running[name][0]} of {running[name][1]}" for name in others]
        progress(", ".join([*texts, _numbered(last)]), *running[last])

    return told


def _numbered(phase: str) -> str:
    return f"{PHASES.index(phase) + 1}/{len(PHASES)} {phase}"
