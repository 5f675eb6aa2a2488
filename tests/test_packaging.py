"""The wheel: installed elsewhere, run from anywhere, it finds its variants and scenarios."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from spfvar.plugins.registry import load_registry

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
    # Whatever the environment can import besides: every package and template is in the wheel itself.
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = [*(ROOT / "spfvar").rglob("__init__.py"), *(ROOT / "spfvar").rglob("*.jinja")]
    assert {str(path.relative_to(ROOT)) for path in wanted} <= names
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", str(target), str(wheel)], check=True)
    code = (
        "import spfvar; from spfvar.plugins.registry import load_registry; "
        "from spfvar.matrix import catalogue as c; from importlib.resources import files; "
        "import spfvar.twins, spfvar.explore; "
        "from spfvar.review.questions import questions; from spfvar.review.html import environment; "
        "print(spfvar.__file__, len(load_registry().variants), len(c.scenarios().names()), "
        "len(c.hardware().names()), "
        "len([p for p in files('spfvar.races').iterdir() if p.name.endswith('.toml')]), "
        "len(questions().names()), len(c.published().names()), len(environment().list_templates()))"
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
    # What the shipped directories hold: the variants, and every file of the others.
    files = [
        len(list((ROOT / kind).glob("*.toml")))
        for kind in ("scenarios", "hardware", "races", "questions", "published")
    ]
    assert min(files) > 0
    templates = len(list((ROOT / "spfvar/review/templates").iterdir()))
    assert counts == [str(n) for n in (len(load_registry().variants), *files, templates)]
