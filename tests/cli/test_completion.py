"""Completion: the shell is offered what there is, quickly and without a word besides."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from spfvar.cli.main import COMMANDS, cli
from spfvar.comparison.metrics import METRICS
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from spfvar.ops.vocabulary import constructors
from spfvar.plugins.registry import load_registry
from tests.cli.running import spfvar

#: What takes seconds to import, and no name depends on.
SLOW = ("numba", "numpy", "pandas", "scipy")


def offered(*words: str) -> list[str]:
    """What the last word may become behind the words before it; files as "(files)"."""
    *arguments, incomplete = words
    found = ShellComplete(cli, {}, "spfvar", "_SPFVAR_COMPLETE").get_completions(arguments, incomplete)
    return ["(files)" if item.type == "file" else item.value for item in found]


def beginning(names: list[str], start: str) -> list[str]:
    """Those names that begin so."""
    return [name for name in names if name.startswith(start)]


def test_names_come_from_the_catalogues() -> None:
    """Variants, scenarios, races, machines, metrics, hook points, bugs; by what was typed."""
    registry = load_registry()
    variants, twins = list(registry.variants), list(registry.twins)
    assert offered("compare", "") == offered("ablate", "") == variants
    assert (
        offered("compare", "spf-") == offered("compare", "--baseline", "spf-") == beginning(variants, "spf-")
    )
    assert offered("compare", "--scenario", "f") == beginning(catalogue.scenarios().names(), "f")
    assert offered("compare", "--hardware", "") == [*catalogue.hardware().names(), "all"]
    assert offered("report", "--hardware", "") == catalogue.hardware().names()
    assert offered("compare", "--metric", "") == [*METRICS, "all"]
    assert offered("check", "--race", "munmap-") == beginning(catalogue.races().names(), "munmap-")
    assert offered("check", "s7") == []
    assert offered("check", "--twins", "s7") == beginning(twins, "s7")
    assert offered("export", "mmap-lock", "munmap-f") == beginning(catalogue.races().names(), "munmap-f")
    assert sorted(offered("show", "pte_")) == sorted(beginning([*HOOKS, *constructors()], "pte_"))
    assert offered("show", "pft") == ["pft"]
    assert offered("co") == ["compare", "completion", "coverage", "conform"]


def test_axes_are_those_of_the_scenarios_chosen() -> None:
    """With the sign that has to follow."""
    chosen = offered("compare", "--scenario", "file-major", "--set", "")
    assert chosen == [f"{axis}=" for axis in catalogue.scenarios()["file-major"].axes]
    assert "region=" in offered("compare", "--set", "reg")


def test_a_plugin_s_variants_are_offered_and_a_broken_one_is_silent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also if it prints, which would be taken for names."""
    plugin, broken = tmp_path / "plugin.py", tmp_path / "broken.py"
    text = "from spfvar.plugins.variant import Variant\nVARIANTS = [Variant('zz-idea', 't', 'k', 's')]\n"
    plugin.write_text(f"print('loaded')\n{text}")
    broken.write_text("1 / 0")
    assert offered("compare", "--plugin", str(plugin), "zz") == ["zz-idea"]
    assert offered("compare", "--plugin", str(broken), "zz") == []
    assert offered("compare", "--plugin", str(tmp_path / "none.py"), "spf") == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "-o", ""), ("compare", "--save", ""), ("compare", "--load", "r"), ("compare", "--plugin", ""),
        ("compare", "--scenario", "my/"), ("check", "--race", "./"), ("replay", ""), ("show", "mine."),
    ],
)  # fmt: skip
def test_files_are_left_to_the_shell(words: tuple[str, ...]) -> None:
    """Where only a file fits, and where no name does but a file may."""
    assert offered(*words) == ["(files)"]


def test_an_unknown_command_is_no_error() -> None:
    """Nothing is printed into the line that is being typed; what there is, is offered."""
    assert offered("compere", "ch") == ["check", "check-plugin"]


def test_no_completion_waits_for_the_simulator() -> None:
    """In a process of its own: every command with every option, and none of the slow modules is there."""
    code = f"""
import sys
from click.shell_completion import ShellComplete
from spfvar.cli.main import COMMANDS, cli
shell = ShellComplete(cli, {{}}, "spfvar", "_SPFVAR_COMPLETE")
for name in COMMANDS:
    command = cli.get_command(None, name)
    assert shell.get_completions([name], "--") or not command.params
    for parameter in command.params:
        shell.get_completions([name, parameter.opts[0]] if parameter.opts[0][0] == "-" else [name], "")
print(*[name for name in {SLOW!r} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


@pytest.mark.parametrize(
    ("shell", "says"), [("bash", "complete -o"), ("zsh", "#compdef spfvar"), ("fish", "complete")]
)
def test_the_script_of_each_shell(shell: str, says: str) -> None:
    """It asks spfvar by its variable."""
    answer = spfvar("completion", shell)
    assert answer.code == 0
    assert says in answer.out
    assert f"_SPFVAR_COMPLETE={shell}_complete" in answer.out


def test_every_command_is_imported_lazily() -> None:
    """The table of commands names modules, and each has the command."""
    assert set(COMMANDS) == {command for command in offered("") if not command.startswith("-")}
