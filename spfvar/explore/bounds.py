"""The one bound that every search has, wherever it runs."""

from __future__ import annotations

from typing import Final

#: States.  The largest search of a shipped variant in a shipped race has 3.3 million, and with one of its
#: guards taken out 8.5 million.  A state takes 100 to 160 bytes, so that a search that gets here takes 2 to
#: 3 GB.  It is no time, or the machine's load would decide verdicts, and nothing that searches share, or
#: the number that run side by side would.
MAX_STATES: Final = 20_000_000
