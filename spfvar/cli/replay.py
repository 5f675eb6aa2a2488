"""spfvar replay."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable
from spfvar.cli import completing, terminal
from spfvar.cli.bounds import memory_of
from spfvar.cli.command import Command
from spfvar.cli.options import format_option, output_option, plugin_option
from spfvar.cli.plugins import load
from spfvar.matrix import catalogue
from spfvar.plugins.registry import Registry
from spfvar.scenario.race import Race

if TYPE_CHECKING:  # completion must not wait for the explorer
    from spfvar.explore.replay import Replay


@click.command(name="replay", cls=Command)
@click.argument("token", metavar="TOKEN|FILE", shell_complete=completing.files)
@click.option(
    "--race",
    "files",
    multiple=True,
    metavar="FILE.toml",
    shell_complete=completing.files,
    help="A race of your own; repeatable.",
)
@click.option(
    "--memory", "model", metavar="MODEL", help="Refuse a token of another memory model: sc or lkmm."
)
@format_option(("table", "markdown", "mail", "json"))
@output_option
@plugin_option
def command(
    token: str, files: tuple[str, ...], model: str | None, form: str, output: str | None,
    plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Walk a counterexample step by step, with the state beside it.

    TOKEN is what check prints with a violation.  FILE is what check --save wrote: all its tokens are
    replayed, a line for each.  A token is replayed under the memory model that it was found under.

    \b
    Examples:
      spfvar replay 's7@spf-do-fault:munmap-file:AXJl...'
      spfvar replay 's7@spf-do-fault:munmap-file:AXJl...' --format json
      spfvar check --twins --save known.toml; spfvar replay known.toml

    Exit codes: 0 every token still leads to its violation; 1 one does not (the model has changed);
    2 bad input; 130 interrupted.
    """
    from spfvar.explore.replay import REPRODUCED
    from spfvar.explore.tokens import parse
    from spfvar.matrix.replaying import refuse_other, replay_token
    from spfvar.render.paint import judged
    from spfvar.render.replays import render_replay

    if output is not None:
        check_writable(output)
    if model is not None:
        memory_of(model)
    where = terminal.place(output, form)
    races = catalogue.races()
    for file in files:
        races.add_file(file)
    if token.endswith((".toml", ".json")) or os.path.isfile(token):
        replays, text = _replay_file(token, model, load(plugins), races, where)
    else:
        parsed = parse(token)
        refuse_other(parsed, model)
        replays = [replay_token(parsed, load(plugins), races)]
        text = render_replay(replays[0], form, where.width, judged if where.colour else str)
    where.put(text)
    return 0 if all(replay.outcome == REPRODUCED for replay in replays) else 1


def _replay_file(
    path: str, model: str | None, registry: Registry, races: catalogue.Catalogue[Race], where: terminal.Place
) -> tuple[list[Replay], str]:
    from spfvar.explore.replay import REPRODUCED
    from spfvar.explore.tokens import parse
    from spfvar.matrix.replaying import refuse_other, replay_token
    from spfvar.matrix.saved import load_saved
    from spfvar.render.paint import judged
    from spfvar.render.replays import verdict_line

    saved = load_saved(path)
    replays = []
    for case in saved.case:
        if case.token:
            parsed = parse(case.token)
            refuse_other(parsed, model)
            replays.append(replay_token(parsed, registry, races, case.steps))
    paint = judged if where.colour else str
    lines = [paint(verdict_line(replay)) for replay in replays]
    still = sum(replay.outcome == REPRODUCED for replay in replays)
    others = len(saved.case) - len(replays)
    lines.append(f"{still} of {len(replays)} violations are still there; {others} cases had none")
    return replays, "\n".join(lines) + "\n"
