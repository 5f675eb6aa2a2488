"""What all commands of the command line have in common."""

from __future__ import annotations

from collections import Counter

import click

from spfvar.errors import InputError


class Command(click.Command):
    """A command that refuses an option with one value that is given twice: click would take the last."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's, which asks the same parser again.  InputError for a repetition."""
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
            for parameter, times in Counter(order).items():
                if times > 1 and isinstance(parameter, click.Option) and _has_one_value(parameter):
                    raise InputError(
                        f"given {times} times", key=max(parameter.opts, key=len), expected="one value"
                    )
        return super().parse_args(ctx, args)


def _has_one_value(option: click.Option) -> bool:
    """A flag that is given twice says the same twice."""
    return not (option.multiple or option.is_flag or option.count)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
