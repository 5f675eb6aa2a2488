"""What `show` says of a series."""

from __future__ import annotations

from collections.abc import Sequence

from spfvar.cli.lines import said
from spfvar.plugins.series import Series, spans


def series_lines(series: Series, plugins: Sequence[str] = ()) -> list[str]:
    """A series: its patches in order, what each needs, and what it is here."""
    lines = [f"{series.name}: {series.title}", f"kernel: {series.kernel}", f"source: {series.source}"]
    lines += ["", series.description] if series.description else []
    lines += ["", "Patches:"]
    for patch in series.patches:
        lines.append(f"  {patch.number:>3} {patch.title}")
        classes = [change.__name__ for change in patch.changes]
        classes += [f"{mend.__name__} (repair)" for mend in patch.mends]
        what = [", ".join(classes) if classes else "no change here"]
        what += [patch.note] if patch.note else []
        what += [f"needs {spans(patch.needs)}"] if patch.needs else []
        lines.append(f"        {'; '.join(what)}")
        lines += [f"        repair of {repair}" for repair in patch.repairs]
    last = len(series.patches)
    example = f"{series.name}@{last // 2}"
    return [
        *lines,
        "",
        f"As a variant: {series.name}, {example}, '{series.name}~{last}'",
        said("Step by step", "bisect", series.name, "--race", "munmap-*", plugins=plugins),
    ]
