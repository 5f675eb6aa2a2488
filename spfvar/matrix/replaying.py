"""Replaying a token: its path under today's variant and race."""

from __future__ import annotations

from collections.abc import Sequence

from spfvar.errors import InputError
from spfvar.explore.replay import Replay, replay
from spfvar.explore.tokens import Token
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.scopes import race_of
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race


def replay_token(
    token: Token, registry: Registry, races: Catalogue[Race], recorded: Sequence[str] = ()
) -> Replay:
    """Walk a token's path under today's variant and race, and its own memory model."""
    variant = registry.tried(token.variant)
    world = build_race(race_of(races, token.race), Stack(variant), token.memory)
    return replay(world, token, recorded)


def refuse_other(token: Token, model: str | None) -> None:
    """Raises InputError for a token of another memory model than the one that is asked for."""
    if model is not None and token.memory != model:
        raise InputError(
            f"{token.variant}:{token.race} was found under {token.memory}: its path is none of {model}",
            key="--memory", expected=f"{token.memory}, or no --memory: a token has its own",
        )  # fmt: skip
