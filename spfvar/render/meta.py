"""What every report says around its tables: where the numbers come from, what the marks mean."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from spfvar.comparison.metrics import Thresholds
from spfvar.render.blocks import Block


@dataclass(frozen=True, slots=True)
class Meta:
    """Where a comparison comes from.

    ``seeds`` is the number of seeds and ``seed`` the first of them; ``draws``: each was run with a draw of
    the machine's figures; ``fidelity`` is what the profile says of how far it goes.  ``scenario_hashes`` goes
    by scenario name, as do ``thresholds``, which hold only what scenarios set; ``reproduce`` is the command
    line that makes the report again.  ``remarks`` are for every reader, ``notes`` for who reads on.
    """

    version: str
    model_version: str
    hardware: str
    baseline: str
    matrix_hash: str
    seeds: int
    seed: int
    reproduce: str
    scenario_hashes: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    thresholds: Thresholds = field(default_factory=dict)
    draws: bool = False
    fidelity: str = ""
    remarks: Sequence[str] = ()


def opening(meta: Meta) -> list[str]:
    """Return the first lines of a report, unwrapped: SIMULATED, on what, and how far that goes."""
    first, *remarks = simulated(meta)
    return [first, *([meta.fidelity] if meta.fidelity else []), *remarks]


def simulated(meta: Meta) -> list[str]:
    """Return the first line of every report, and what each reader has to know, unwrapped."""
    runs = f"; {meta.seeds} draw{'s' * (meta.seeds > 1)}" if meta.draws else ""
    first = f"SIMULATED on {meta.hardware}: modelled times, not measured ones{runs}."
    return [first, *(f"Note: {remark}" for remark in meta.remarks)]


def particulars(meta: Meta) -> list[str]:
    """Return where the numbers come from, unwrapped: runs, hashes, notes."""
    what = "draw of the machine's figures, seed" if meta.draws else "seed"
    many = "draws of the machine's figures, seeds" if meta.draws else "seeds"
    seeds = f"1 {what} ({meta.seed})" if meta.seeds == 1 else f"{meta.seeds} {many} from {meta.seed}"
    lines = [
        f"Baseline {meta.baseline}; {seeds}; matrix {meta.matrix_hash};"
        f" spfvar {meta.version}, model {meta.model_version}",
    ]
    if meta.scenario_hashes:
        named = (f"{name} {digest}" for name, digest in meta.scenario_hashes.items())
        lines.append(f"Scenarios: {', '.join(named)}")
    return lines + [f"Note: {note}" for note in meta.notes]


def heading(meta: Meta) -> list[str]:
    """Return the opening lines of a report that begins with all of that."""
    return opening(meta) + particulars(meta)


def open_because(*, draws: bool) -> str:
    """Why a cell may have no sure verdict."""
    return "it depends on the machine's figures" if draws else "more seeds may tell"


def legend(blocks: Iterable[Block], meta: Meta) -> list[tuple[str, str]]:
    """Return the marks that the blocks use, each with its definition, in a fixed order."""
    used = {mark for block in blocks for mark in block.marks_used()}
    direction = f"than {meta.baseline}, in the direction that the line under the title gives:"
    meanings = {
        "±N%": "half of the 95 % confidence interval over the seeds, relative to the value",
        "xN": f"ratio to {meta.baseline}, the geometric mean of the ratios paired by seed",
        "better": f"{direction} the whole 99.9 % interval of the ratio is beyond the noise that it gives",
        "WORSE": f"than {meta.baseline}, by the same rule",
        "differs": f"from {meta.baseline}, by the same rule, where neither direction is better",
        "same": "the whole 95 % interval of the ratio is within that noise",
        "unsure": "neither: more seeds may tell",
        "n/a": "no value because it does not apply here, or no value to compare it with",
        "[a]": "see the footnote of that letter under the same table",
    }
    if meta.draws:
        meanings |= {
            "±N%": "half of the interval in which 95 % of such machines lie, relative to the value",
            "xN": f"ratio to {meta.baseline}: the geometric mean over draws, and where 95 % of such machines"
            " lie; what is wrong with the model whatever its figures is not in it",
            "better": f"{direction} the interval of the ratio is beyond the noise that it gives",
            "same": "the interval of the ratio is within that noise",
            "likely better": "80 % of such machines are beyond that noise",
            "likely WORSE": "80 % of such machines are beyond that noise",
            "unsure": "none of these: it depends on the machine's figures",
        }
    return [(mark, text) for mark, text in meanings.items() if mark in used]
