"""Answers: frames that can also say what the command line prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from spfvar.shown import preformatted


class Answer(pd.DataFrame):
    """A frame with an answer's rows, and its text.

    What is made of it (a slice, a copy, what was pickled) is an ordinary frame.
    """

    _metadata = ["_told"]  # noqa: RUF012  # pandas' own way to have attributes

    def __init__(
        self,
        rows: pd.DataFrame | Iterable[Mapping[str, Any]],
        told: Callable[[], str],
        columns: list[str] | None = None,
    ) -> None:
        made = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows), columns=columns)
        super().__init__(made)  # type: ignore[call-arg]
        self._told = told

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __reduce__(self) -> Any:
        return pd.DataFrame(self).__reduce__()

    def text(self) -> str:
        """What the command line prints, 80 columns."""
        return self._told()

    def _repr_html_(self) -> str | None:
        """The text, and the rows for who unfolds them."""
        rows = pd.DataFrame(self)._repr_html_()  # type: ignore[operator]
        return f"{preformatted(self.text())}<details><summary>{len(self)} rows</summary>{rows}</details>"
