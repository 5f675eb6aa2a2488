"""Commands that give a result again: with the user's plugins, and with races that only a file says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Files:
    """The user's files that commands have to name: plugins, and races by name."""

    plugins: Sequence[str] = ()
    races: Mapping[str, str] = field(default_factory=dict)

    def check(self, race: str, *variants: str, memory: str = "sc") -> str:
        """The command that searches a race again, under all variants or under these."""
        model = ["--memory", memory] if memory != "sc" else []
        return self._command(["check", *variants, "--race", self.races.get(race, race), *model])

    def replay(self, race: str, token: str) -> str:
        """The command that shows a trace of a race again."""
        own = ["--race", self.races[race]] if race in self.races else []
        return self._command(["replay", token, *own])

    def bisect(self, series: str, bug: str) -> str:
        """The command that puts a bug into every prefix of a series."""
        return self._command(["bisect", series, "--bug", bug])

    def _command(self, words: Sequence[str]) -> str:
        plugins = (word for plugin in self.plugins for word in ("--plugin", plugin))
        return shlex.join(["spfvar", *words, *plugins])


#: Everything is shipped.
NO_FILES = Files()
