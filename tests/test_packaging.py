"""The wheel: installed elsewhere, run from anywhere, it finds its variants and scenarios."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_wheel_carries_variants_scenarios_races_and_hardware(tmp_path: Path) -> None:
    """Built, unpacked into an empty directory and imported from another one."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheels, target = tmp_path / "wheels", tmp_path / "target"
    subprocess.run(
        [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(ROOT)],
        check=True, timeout=300,
    )  # fmt: skip
    wheel = next(wheels.glob("spfvar-*.whl"))
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", str(target), str(wheel)], check=True)
    code = (
        "import spfvar; from spfvar.plugins.registry import load_registry; "
        "from spfvar.matrix import catalogue as c; from importlib.resources import files; "
        "import spfvar.twins, spfvar.explore; "
        "print(spfvar.__file__, len(load_registry().variants), len(c.scenarios().names()), "
        "len(c.hardware().names()), "
        "len([p for p in files('spfvar.races').iterdir() if p.name.endswith('.toml')]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(target), "XDG_CONFIG_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    file, *counts = result.stdout.split()
    assert Path(file).is_relative_to(target)
    # What the shipped directories hold: eleven variants, eleven loads, four machines, and all the races.
    races = len(list((ROOT / "races").glob("*.toml")))
    assert races > 0
    assert counts == ["11", "11", "4", str(races)]
