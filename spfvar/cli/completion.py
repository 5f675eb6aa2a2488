"""spfvar completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from spfvar.cli import terminal
from spfvar.cli.command import Command
from spfvar.cli.options import PROGRAM

SHELLS = ("bash", "zsh", "fish")


@click.command(name="completion", cls=Command)
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
def command(shell: str) -> None:
    """Print the script that lets SHELL (bash, zsh or fish) complete commands, options and names.

    Names are those of variants (with --plugin, of its own too), scenarios, races, machines, metrics and hook
    points; where a file may stand, files are completed as well.

    \b
    Put one of these into your shell's start-up file:
      eval "$(spfvar completion bash)"            ~/.bashrc
      eval "$(spfvar completion zsh)"             ~/.zshrc, behind compinit
      spfvar completion fish | source             ~/.config/fish/config.fish
    """
    found = get_completion_class(shell)
    assert found is not None  # the choices are click's own
    variable = f"_{PROGRAM.upper()}_COMPLETE"
    script = found(click.get_current_context().find_root().command, {}, PROGRAM, variable)
    terminal.say(script.source(), newline=False)
