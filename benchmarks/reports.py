"""Write the committed examples of reviews: `make reports`.

One review is run, and drawn in every form; the Reproduce line of each is the command that writes that form.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

from spfvar.atomic import write_atomically
from spfvar.cli.bounds import memory_of, search_options
from spfvar.cli.report import command, review_of
from spfvar.plugins.registry import load_registry
from spfvar.review.html import render_html
from spfvar.review.mail import render_mail, render_short
from spfvar.review.markdown import render_markdown
from spfvar.review.model import Review

FOLDER = Path(__file__).parents[1] / "reports"
#: Loads on which the patch helps, does nothing, and hurts, so that the tests can afford to run it again.
COMMAND = (
    "spfvar report spf-do-fault --patch reports/spf-24-37.patch --threads 1,16,56 --scenario 'file-[cr]*' "
    "--scenario page-fault3 --generated 300"
)
#: By file: what is added to the command, and what draws it.
FORMS = {
    "spf-24-37.txt": ("", render_mail),
    "spf-24-37-short.txt": (" --short", render_short),
    "spf-24-37.md": (" --format markdown", render_markdown),
    "spf-24-37.html": (" --format html", render_html),
}


def example() -> Review:
    """The review that the command asks for; run in the project's folder."""
    arguments = shlex.split(COMMAND)[2:]
    options = command.make_context("report", arguments).params
    for name in ("form", "short", "output", "plugins", "save", "load_file"):
        del options[name]
    bounds = search_options(options.pop("max_states"), options.pop("memory"), options.pop("timeout"))
    options["memory"] = memory_of(options.pop("model"))
    return review_of(load_registry(), line=COMMAND, bounds=bounds, **options)


def texts() -> dict[str, str]:
    """Every example's text, by the name of its file."""
    review = example()
    return {
        name: render(replace(review, provenance=replace(review.provenance, reproduce=COMMAND + more)))
        for name, (more, render) in FORMS.items()
    }


if __name__ == "__main__":
    for name, text in texts().items():
        write_atomically(FOLDER / name, text)
        print(f"{FOLDER / name}: {len(text.splitlines())} lines", file=sys.stderr)
