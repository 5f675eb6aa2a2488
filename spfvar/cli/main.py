"""The command line: a group whose commands are imported when they are called."""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import sys
from typing import Any

import click

from spfvar import __version__
from spfvar.cli import terminal
from spfvar.errors import SpfvarError, UnknownNameError

#: Command: module, and what ``--help`` says of it.
COMMANDS = {
    "compare": ("spfvar.cli.compare", "Simulate variants over scenarios and print comparison tables."),
    "report": ("spfvar.cli.report", "Review a variant and its patch: safe, worth it where, who pays?"),
    "check": ("spfvar.cli.check", "Explore every interleaving of races under variants."),
    "replay": ("spfvar.cli.replay", "Walk a counterexample step by step, with the state beside it."),
    "validate": ("spfvar.cli.validate", "Hold the model against published measurements: how far is it off?"),
    "hunt": ("spfvar.cli.hunt", "Generate small races, smallest first: what breaks that no race is about?"),
    "gallery": ("spfvar.cli.gallery", "Write a static site: designs x loads x machines, races, bugs."),
    "calibrate": ("spfvar.cli.calibrate", "Measure this host, and write a hardware profile of it."),
    "why": ("spfvar.cli.why", "Where a fault's time goes: by step, cache line, lock and second try."),
    "list": (
        "spfvar.cli.listing",
        "List variants, scenarios, races, twins, hook points, metrics and more, by kind.",
    ),
    "show": (
        "spfvar.cli.show",
        "Explain whatever has a name: a variant, a load, a race, a hook point, a metric.",
    ),
    "bisect": ("spfvar.cli.bisect", "Run every prefix of a series: where does a property or a metric move?"),
    "ablate": ("spfvar.cli.ablate", "Take each guard of a variant out: which race breaks without it?"),
    "doctor": ("spfvar.cli.doctor", "Look at the installation: what is there, what is broken, what to do."),
    "completion": ("spfvar.cli.completion", "Print the script that lets a shell complete names."),
    "coverage": ("spfvar.cli.coverage", "Which faults need no mmap_lock, and what writers do to them."),
    "export": ("spfvar.cli.export", "Write a race under a variant as a model for SPIN."),
    "conform": ("spfvar.cli.conform", "Are the faults of a booted kernel paths of a variant's text?"),
    "audit": ("spfvar.cli.audit", "Is a variant's text what a kernel's C says, function by function?"),
    "litmus": ("spfvar.cli.litmus", "Run litmus tests of the kernel's memory model through the explorer."),
    "store": ("spfvar.cli.store", "Results that were computed once: list, prune, verify."),
    "new": ("spfvar.cli.new", "Write a variant, a load, a race or a package to start from."),
    "watch": ("spfvar.cli.watch", "Look at a plugin whenever it is saved: is it safe, what does a load say?"),
    "check-plugin": ("spfvar.cli.check_plugin", "Check that a plugin's variants are well made."),
}
INTERRUPTED = 130


class LazyGroup(click.Group):
    """Imports a command only when it is used: ``spfvar --help`` must not wait for numba."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Command names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest name for an unknown command."""
        from spfvar.errors import unknown

        completing = ctx.resilient_parsing
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not completing:
            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="spfvar")
def cli() -> None:
    """Compare kernel-patch variants for Linux page faults: simulated, with reasons.

    \b
    Examples:
      spfvar compare                   the main variants and scenarios
      spfvar compare spf-do-fault --scenario 'file-*'
      spfvar check spf-do-fault        every interleaving of every race
      spfvar list scenarios
      spfvar show file-cow
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line: one message and an exit code for whatever goes wrong."""
    # Automata are millions of small objects without cycles: to look for those after every 700th is in vain.
    gc.set_threshold(100_000, 20, 50)
    # So is it at the end: the process gives all of its memory back at once.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a question mark rather than a traceback
    try:
        result: Any = cli.main(args=args, prog_name="spfvar", standalone_mode=False)
    except UnknownNameError as error:
        from spfvar.cli.hints import improved

        terminal.say(f"spfvar: {improved(error)}", error=True)
        sys.exit(error.exit_code)
    except SpfvarError as error:
        terminal.say(f"spfvar: {error}", error=True)
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        terminal.say("spfvar: interrupted; nothing was written", error=True)
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        terminal.say("spfvar: interrupted; nothing was written", error=True)
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "spfvar":
            raise
        terminal.say(f"spfvar: {error}: spfvar doctor says what is missing", error=True)
        sys.exit(1)
    except click.exceptions.NoArgsIsHelpError as error:
        terminal.say(error.format_message(), error=True)  # the help itself
        sys.exit(2)
    except click.ClickException as error:
        terminal.say(f"spfvar: {_in_one_line(error)}", error=True)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of a pipe has seen enough; keep the interpreter from complaining at exit.
        sys.stdout = None
        sys.exit(0)
    sys.exit(result if isinstance(result, int) else 0)


def _in_one_line(error: click.ClickException) -> str:
    """Click's message, and whose help has more."""
    message = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    return f"{message.rstrip('.')}; see {context.command_path} --help" if context is not None else message
