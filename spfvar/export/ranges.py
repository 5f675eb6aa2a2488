"""Templates: locks of ranges of addresses.

A request is four registers of its process, which others look at, and the lock that it is for; requests are
served in the order of their entries.
"""

from __future__ import annotations

from spfvar.export.model import identifier
from spfvar.export.steps import Operands, Step, Way, fail, template
from spfvar.ops import codes as c
from spfvar.ops.places import Register


def _lock(x: Operands) -> str:
    """Requests, those for writing, and the name of the lock: what the inlines are told of it."""
    return f"{x.array}_requests[{x.index}], {x.array}_writers[{x.index}], {x.reference}"


def _range(x: Operands) -> tuple[str, str]:
    """First address and end of what is asked for."""
    if x.op.imm2 == c.AS_IT_IS:
        return x.src, x.src2
    if x.op.imm2 == c.EVERYTHING:
        return "0", "PAGES"
    return f"TABLE_START(({x.src} > 0 -> {x.src} : 0))", f"TABLE_END({x.src2} - 1)"


def _of(register: Register | None, process: int) -> str:
    assert register is not None
    return f"{identifier(register.name)}[{process}]"


def _rivals(x: Operands) -> str:
    """Is there a request that this one has to wait for?"""
    start, end = _range(x)
    found = []
    for process in range(x.model.world.threads):
        entry = _of(x.op.src3, process)
        kind = "" if x.imm else f" && ({entry} & 1) != 0"
        found.append(
            f"({process} != _pid && range_lock_on[{process}] == {x.reference} && {entry} > 0{kind}"
            f" && {_of(x.op.src, process)} < {end} && {start} < {_of(x.op.src2, process)})"
        )
    return " || ".join(found)


def _enter(x: Operands) -> tuple[str, ...]:
    start, end = _range(x)
    return f"{x.src} = {start}", f"{x.src2} = {end}", f"ask_for_range({_lock(x)}, {x.imm})"


@template(c.RANGE_LOCK)
def range_lock(x: Operands) -> Step:
    """Ask; is there anything to wait for?  Who asks twice waits for itself."""
    free = f"{x.src3} <= 0 && "
    return Step(
        (Way(f"{free}!({_rivals(x)})", _enter(x)), Way(f"{free}({_rivals(x)})", _enter(x))),
        queue=Way(f"{x.src3} > 0"),
    )


@template(c.RANGE_TRYLOCK)
def range_trylock(x: Operands) -> Step:
    """Ask if there is nothing to wait for."""
    free = f"{x.src3} <= 0 && "
    return Step(
        (Way(f"{free}({_rivals(x)})"), Way(f"{free}!({_rivals(x)})", _enter(x))),
        queue=Way(f"{x.src3} > 0"),
    )


@template(c.RANGE_WAIT)
def range_wait(x: Operands) -> Step:
    """Wait for the earlier requests."""
    return Step((Way(f"{x.dst} <= 0"),), queue=Way(f"{x.dst} > 0", ("range_lock_waits[_pid] = 1",)))


@template(c.RANGE_UNLOCK)
def range_unlock(x: Operands) -> Step:
    """The request goes, and those behind it move up."""
    wrong = f"{x.src3} <= 0 || ({x.src3} & 1) != {x.imm} || {x.dst} > 0"
    return Step((Way("", (f"leave_range({_lock(x)})",)),), (fail(wrong, c.V_UNBALANCED),))


@template(c.RANGE_DOWNGRADE)
def range_downgrade(x: Operands) -> Step:
    """The request is for reading from now on."""
    wrong = f"{x.src3} <= 0 || ({x.src3} & 1) == 0 || {x.dst} > 0"
    return Step((Way("", (f"downgrade_range({_lock(x)})",)),), (fail(wrong, c.V_UNBALANCED),))


OVERLAP = (
    "#define BEHIND(p, lock, before) (range_lock_on[p] == lock && range_lock_entry[p] > before "
    "&& range_lock_start[p] < range_lock_end[_pid] && range_lock_start[_pid] < range_lock_end[p])"
)
ASK = """\
inline ask_for_range(requests, writers, lock, write) {
	found = 0;
	for (p : 0 .. PROCESSES - 1) {
		if
		:: p != _pid && BEHIND(p, lock, 0) && (write || (range_lock_entry[p] & 1) != 0) -> found++
		:: else
		fi
	};
	requests++;
	writers = writers + write;
	range_lock_on[_pid] = lock;
	range_lock_entry[_pid] = 2 * requests + write;
	range_lock_blocking[_pid] = found
}"""
LET_IN = """\
inline let_into_range() {
	range_lock_blocking[p]--;
	if
	:: range_lock_blocking[p] == 0 && range_lock_waits[p] -> range_lock_waits[p] = 0; granted[p] = 1
	:: else
	fi
}"""
LEAVE = """\
inline leave_range(requests, writers, lock) {
	q = range_lock_entry[_pid];
	requests--;
	writers = writers - (q & 1);
	range_lock_entry[_pid] = 0;
	range_lock_on[_pid] = NULL;
	for (p : 0 .. PROCESSES - 1) {
		if
		:: BEHIND(p, lock, q) && ((q | range_lock_entry[p]) & 1) != 0 -> let_into_range()
		:: else
		fi;
		if
		:: range_lock_on[p] == lock && range_lock_entry[p] > q ->
			range_lock_entry[p] = range_lock_entry[p] - 2
		:: else
		fi
	}
}"""
DOWNGRADE = """\
inline downgrade_range(requests, writers, lock) {
	q = range_lock_entry[_pid];
	writers--;
	range_lock_entry[_pid] = q - 1;
	for (p : 0 .. PROCESSES - 1) {
		if
		:: BEHIND(p, lock, q) && (range_lock_entry[p] & 1) == 0 -> let_into_range()
		:: else
		fi
	}
}"""
#: Names and texts, each after those that it uses.
PIECES = [
    ("BEHIND", OVERLAP), ("let_into_range", LET_IN), ("ask_for_range", ASK), ("leave_range", LEAVE),
    ("downgrade_range", DOWNGRADE),
]  # fmt: skip
