"""Declarations, and the parts of primitives that several steps share, as Promela macros and inlines."""

from __future__ import annotations

from collections.abc import Iterator

from spfvar.export import pages, ranges, switching
from spfvar.export.model import REQUEST, STALE, Model, array, identifier
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.places import ObjectClass
from spfvar.transition.pages import WRITES

LOOP_VARIABLES = ("victim", "who", "kind", "queued", "i", "p", "k", "q", "entry", "found", "mapped")


def constants(model: Model) -> Iterator[str]:
    """Sizes and names of values."""
    world = model.world
    yield "/* sizes */"
    actors = sum(actor.count for actor in world.race.actor)
    sizes = {"PROCESSES": world.threads, "ACTORS": actors, "PAGES": model.sizes.pages, "SPAN": model.span}
    yield from (f"#define {name} {value}" for name, value in sizes.items())
    yield f"#define COUNTER_MASK {(1 << model.sizes.seq_bits) - 1}\t/* counters wrap */"
    yield f"#define WRITES {WRITES}\t/* contents of pages are counted modulo this */"
    yield "/* a reference is an object's number + 1; STALE is set in it when the object is freed */"
    yield "#define NULL 0"
    yield f"#define STALE {STALE}"
    yield "/* life of an object */"
    for value, name in enumerate(("FREED", "LIVE", "CALLBACK_QUEUED", "CALLBACK_WAITS")):
        yield f"#define {name} {value}"
    yield "/* page-table entries: bits, and above them the number of the page or folio */"
    for name in ("PRESENT", "WRITE", "ANON", "DIRTY", "ZERO", "MIGRATION"):
        yield f"#define {name} {getattr(c, f'PTE_{name}')}"
    if any(op.code == c.PAGE_PUT and op.imm == c.PIN_BIAS for op in model.ops):
        yield f"#define PIN_BIAS {c.PIN_BIAS}\t/* a pin is so many references */"
    if model.has_switches():
        yield "#define BEHIND MIGRATION\t/* of an entry of a TLB: a flush has passed its CPU by */"
        yield f"#define WALK_BEHIND {c.WALK_BEHIND}\t/* the same of an entry for a page table */"
        yield "#define SLOTS (PAGES / SPAN)"
        yield "/* what a CPU has loaded */"
        for name in ("LOADED", "LAZY", "SWITCHING", "OTHER"):
            yield f"#define {name} {getattr(c, f'MM_{name}')}"
    if model.sizes.folio_pages > 1:
        yield f"#define FOLIO_PAGES {model.sizes.folio_pages}\t/* a folio has its first page's number */"
    yield f"#define PAGE_UNIT {1 << c.PTE_FOLIO_SHIFT}"
    yield "#define READABLE(pte) (((pte) & PRESENT) != 0)"
    yield "#define KEPT(pte) (((pte) & (PRESENT | MIGRATION)) != 0)"
    yield "#define WRITABLE(pte) (((pte) & (PRESENT | WRITE)) == (PRESENT | WRITE))"
    yield "#define PMD(address) pmd[(address) / SPAN]"
    yield "#define PTE(table, address) pte[((table) - 1) * SPAN + (address) % SPAN]"
    yield "#define TABLE_START(address) ((address) / SPAN * SPAN)"
    yield "#define TABLE_END(address) (TABLE_START(address) + SPAN)"
    if model.has_marks():
        yield f"#define DESTROYED {c.TREE_DESTROYED & 255}"
        yield f"#define ZERO_ENTRY {c.TREE_ZERO_ENTRY & 255}"
        yield "#define VMA_AT(page) (tree[page] >= ZERO_ENTRY -> NULL : tree[page])"
    else:
        yield "#define VMA_AT(page) tree[page]"
    slots = " || ".join(f"NEEDED(TABLE_START(address) + {n}, from, upto)" for n in range(model.span))
    yield "#define NEEDED(page, from, upto) (VMA_AT(page) != NULL && !(from <= page && page < upto))"
    yield f"#define TABLE_NEEDED(address, from, upto) ({slots})"
    yield "#define READER 1"
    yield "#define WRITER 2"


def variables(model: Model) -> Iterator[str]:
    """The memory, and what of a process others can see."""
    yield "/* --- the memory */"
    for cls in model.objects():
        name = identifier(cls.name)
        if model.has_lifetime(cls):
            pool, count = model.pool(cls), model.count(cls)
            lives = ["FREED" if n in pool else "LIVE" for n in range(count)]
            yield f"byte {name}_life[{count}] = {array(lives)};"
            free = array(pool + [0] * (count - len(pool)))
            yield f"byte {name}_pool[{count}] = {free};\t/* free ones; the last is taken next */"
            yield f"byte {name}_pooled = {len(pool)};"
        for field in model.fields:
            if field.cls != cls:
                continue
            text, count = model.field(field), model.count(cls)
            if field in model.rwsems():
                yield f"byte {text}_readers[{count}];"
                yield f"byte {text}_writer[{count}];\t/* process + 1 */"
                yield f"chan {text}_waiters[{count}] = [PROCESSES] of {{ byte, byte }};\t/* process, kind */"
            elif field in model.spinlocks():
                yield f"byte {text}_owner[{count}];\t/* process + 1 */"
                yield f"chan {text}_waiters[{count}] = [PROCESSES] of {{ byte }};"
            elif field in model.range_locks():
                yield f"byte {text}_requests[{count}];"
                yield f"byte {text}_writers[{count}];\t/* requests for writing */"
            else:
                kind = "short" if field in model.wide else "byte"
                yield f"{kind} {text}[{count}] = {array(model.start_of(field))};"
    sizes = model.sizes
    yield f"byte tree[PAGES] = {array(model.state(c.G_TREE, sizes.pages))};\t/* the VMA at each page */"
    tables = sizes.pages // model.span
    yield f"byte pmd[{tables}] = {array(model.state(c.G_PMD, tables))};\t/* the table of each SPAN pages */"
    entries = sizes.tables * model.span
    yield f"short pte[{entries}] = {array(model.state(c.G_PTE, entries))};\t/* entries, table by table */"
    if model.has_tlb():
        values = model.state(c.G_TLB, model.world.threads * sizes.pages)
        yield f"short tlb[PROCESSES * PAGES] = {array(values)};"
    if model.has_pages():
        values = model.state(c.G_WRITES, sizes.pages)
        yield (
            f"short writes[PAGES] = {array(values)};\t/* content that the user expects; -1: undefined;"
            " -2 - n: it moved to page n */"
        )
        values = model.state(c.G_EPOCH, sizes.pages)
        yield f"byte epoch[PAGES] = {array(values)};\t/* how often something was mapped there */"
    if model.has_pins():
        yield "byte pinned[PAGES];\t/* the page that is pinned there, and has to stay */"
    yield "/* --- RCU, interrupts, locks */"
    yield "byte rcu_nesting[PROCESSES];\t/* sections that the process is in, interrupts-off ones included */"
    yield "byte rcu_callbacks;\t/* queued, waiting for the next grace period */"
    yield "short rcu_holdouts;\t/* set of processes that the running grace period waits for */"
    if c.SRCU_READ_LOCK in model.codes:
        yield "byte srcu_nesting[PROCESSES];\t/* SRCU sections that the process is in */"
        yield "short srcu_holdouts;\t/* set of processes that the running grace period waits for */"
    yield "byte irq_off[PROCESSES];"
    yield "short ipi_unanswered[PROCESSES];\t/* by sender: set of processes that have not answered yet */"
    if model.has_switches():
        yield "byte loaded_mm[PROCESSES];"
        values = model.state(c.G_WALK, model.world.threads * tables)
        yield f"short walk[PROCESSES * (PAGES / SPAN)] = {array(values)};\t/* tables that TLBs lead to */"
    yield "bit granted[PROCESSES];\t/* the lock that the process waits for was handed to it */"
    yield "byte violation;\t/* its number, listed above */"
    yield "byte ended;\t/* processes that have nothing more to do */"
    yield "/* --- registers that the freeing of an object marks */"
    for register in model.registers:
        if model.is_global(register):
            values = [model.register_start(register, n) for n in range(model.world.threads)]
            yield f"byte {identifier(register.name)}[PROCESSES] = {array(values)};"
    yield from _requests(model)
    yield "/* --- scratch variables of a single step: no part of the state */"
    yield from (f"hidden int {name};" for name in LOOP_VARIABLES)


def _requests(model: Model) -> Iterator[str]:
    if not model.range_locks():
        return
    yield "/* --- requests for range locks */"
    for register in REQUEST:
        values = [model.register_start(register, n) for n in range(model.world.threads)]
        yield f"short {identifier(register.name)}[PROCESSES] = {array(values)};"
    yield "byte range_lock_on[PROCESSES];\t/* whose lock the process has a request for */"
    yield "bit range_lock_waits[PROCESSES];"


def pieces(model: Model) -> list[tuple[str, str]]:
    """Names and texts of macros and inlines, each after those that it uses."""
    found = [("fail", _fail())]
    for cls in model.objects():
        found += _access(model, cls)
    if model.count(o.FILE):
        found += list(_freeing(model, o.FILE))
    for cls in model.objects():
        if cls != o.FILE:
            found += list(_freeing(model, cls))
    shared = [*_locks(), *ranges.PIECES, *_sections(model), *switching.PIECES]
    return [*found, *shared, *_tables(model), *pages.pieces(model)]


def _fail() -> str:
    return "inline fail(code) {\n\tviolation = code;\n\tassert(violation != code)\n}"


def _access(model: Model, cls: ObjectClass) -> list[tuple[str, str]]:
    """May an object be accessed by a reference?"""
    name = identifier(cls.name)
    if cls not in model.freeable:
        return [
            (f"OK_{name}", f"#define OK_{name}(ref) (ref > NULL)"),
            (f"BLAME_{name}", f"#define BLAME_{name}(ref) {c.V_NULL}"),
            (f"TYPESAFE_{name}", f"#define TYPESAFE_{name}(ref) (ref > NULL)"),
            (f"BLAME_TYPESAFE_{name}", f"#define BLAME_TYPESAFE_{name}(ref) {c.V_NULL}"),
        ]
    stale = f"(ref >= STALE -> {c.V_STALE_REFERENCE} : {c.V_USE_AFTER_FREE})"
    return [
        (
            f"OK_{name}",
            f"#define OK_{name}(ref) (ref != NULL && ref < STALE && {name}_life[ref - 1] != FREED)",
        ),
        (f"BLAME_{name}", f"#define BLAME_{name}(ref) (ref == NULL -> {c.V_NULL} : {stale})"),
        (
            f"TYPESAFE_{name}",
            "/* memory that stays of its type may be looked at in an RCU section, freed or not */\n"
            f"#define TYPESAFE_{name}(ref) (ref != NULL && (ref < STALE || rcu_nesting[_pid] > 0))",
        ),
        (
            f"BLAME_TYPESAFE_{name}",
            f"#define BLAME_TYPESAFE_{name}(ref) (ref == NULL -> {c.V_NULL} : {c.V_OUTSIDE_RCU})",
        ),
    ]


def _freeing(model: Model, cls: ObjectClass) -> Iterator[tuple[str, str]]:
    """Allocation, and the end of an object."""
    name = identifier(cls.name)
    if not model.has_lifetime(cls):
        return
    kept = any(field.cls == cls and field.kept for field in model.fields)
    # type-safe memory may still be looked at: such objects are cleared by their next allocation
    zero = _cleared(model, cls, "ref - 1") if kept else []
    lines = [
        f"{name}_pooled--",
        f"ref = {name}_pool[{name}_pooled] + 1",
        f"{name}_pool[{name}_pooled] = 0",
        *zero,
        f"{name}_life[ref - 1] = LIVE",
    ]
    yield f"alloc_{name}", f"inline alloc_{name}(ref) {{\n\t" + ";\n\t".join(lines) + "\n}"
    if cls not in model.freeable:
        return
    clear = [] if kept else _cleared(model, cls, "number")
    if cls == o.PAGE_TABLE and model.has_pages():
        bits = (f"(pte[(number) * SPAN + {n}] & (PRESENT | ZERO))" for n in range(model.span))
        clear = [
            *(f"if :: {entry} == PRESENT -> fail({c.V_TABLE_IN_USE}) :: else fi" for entry in bits),
            *clear,
        ]
    if cls == o.FILE:
        yield from [(f"free_{name}", _free(model, cls, clear)), ("fput", _fput())]
    elif cls == o.VMA and model.count(o.FILE):
        fput = "if :: vma_vm_fput[number] != NULL -> fput(vma_vm_fput[number] - 1) :: else fi"
        yield f"free_{name}", _free(model, cls, [fput, *clear])
    else:
        yield f"free_{name}", _free(model, cls, clear)


def _cleared(model: Model, cls: ObjectClass, number: str) -> list[str]:
    """Statements that clear an object's fields, except those that outlive it."""
    found = []
    for field in model.fields:
        if field.cls != cls or field.kept:
            continue
        text = model.field(field)
        if field in model.words():
            found.append(f"{text}[{number}] = 0")
            continue
        if field in model.range_locks():
            found += [f"{text}_requests[{number}] = 0", f"{text}_writers[{number}] = 0"]
            continue
        owners = ("_readers", "_writer") if field in model.rwsems() else ("_owner",)
        found += [f"{text}{owner}[{number}] = 0" for owner in owners]
        receive = "who, kind" if field in model.rwsems() else "who"
        queue = f"{text}_waiters[{number}]"
        found.append(f"do :: len({queue}) > 0 -> {queue}?{receive} :: len({queue}) == 0 -> break od")
    return found


def _free(model: Model, cls: ObjectClass, before: list[str]) -> str:
    """Statements that come first, then the end of the object: every reference to it becomes stale."""
    name = identifier(cls.name)
    registers = [r for r in model.registers if r.cls == cls]
    marks = []
    for register in registers:
        text = identifier(register.name)
        marks.append(f"\t\tif :: {text}[p] == number + 1 -> {text}[p] = {text}[p] | STALE :: else fi;")
    loop = ["\tfor (p : 0 .. PROCESSES - 1) {", *marks, "\t\tskip", "\t}"] if marks else []
    return "\n".join([
        f"inline free_{name}(number) {{",
        *(f"\t{statement};" for statement in before),
        f"\t{name}_life[number] = FREED;",
        f"\t{name}_pool[{name}_pooled] = number;",
        f"\t{name}_pooled++" + (";" if loop else ""),
        *loop,
        "}",
    ])  # fmt: skip


def _fput() -> str:
    return "\n".join([
        "/* drop a reference to a file; the last one frees it */",
        "inline fput(file_number) {",
        "\tq = file_number;",
        "\tfile_f_count[q]--;",
        "\tif :: file_f_count[q] == 0 -> free_file(q) :: else fi",
        "}",
    ])  # fmt: skip


def _locks() -> list[tuple[str, str]]:
    rwsem = """\
/* a writer at the head of the queue gets a free lock; a reader at the head lets every queued reader in */
inline hand_over_rwsem(readers, writer, waiters) {
	if
	:: writer == 0 && len(waiters) > 0 ->
		waiters?<who, kind>;
		if
		:: kind == WRITER && readers == 0 ->
			waiters?who, kind;
			writer = who + 1;
			granted[who] = 1
		:: kind == READER ->
			queued = len(waiters);
			do
			:: queued > 0 ->
				queued--;
				waiters?who, kind;
				if
				:: kind == READER -> readers++; granted[who] = 1
				:: kind == WRITER -> waiters!who, kind
				fi
			:: queued == 0 -> break
			od
		:: else
		fi
	:: else
	fi
}"""
    spin = """\
inline hand_over_lock(owner, waiters) {
	if
	:: len(waiters) > 0 -> waiters?who; owner = who + 1; granted[who] = 1
	:: len(waiters) == 0 -> owner = 0
	fi
}"""
    return [("hand_over_rwsem", rwsem), ("hand_over_lock", spin)]


def _sections(model: Model) -> list[tuple[str, str]]:
    deferred = {op.place.field.cls for op in model.ops if op.code == c.CALL_RCU and op.place is not None}
    queued, freed = [], []
    for cls in model.objects():
        if cls not in deferred:
            continue
        name = identifier(cls.name)
        queued += [
            f"\tfor (k : 0 .. {model.count(cls) - 1}) {{",
            f"\t\tif :: {name}_life[k] == CALLBACK_QUEUED -> {name}_life[k] = CALLBACK_WAITS :: else fi",
            "\t};",
        ]
        freed += [
            f"\tfor (k : 0 .. {model.count(cls) - 1}) {{",
            f"\t\tif :: {name}_life[k] == CALLBACK_WAITS -> free_{name}(k) :: else fi",
            "\t};",
        ]
    leave = """\
inline leave_section() {
	rcu_nesting[_pid]--;
	if :: rcu_nesting[_pid] == 0 -> rcu_holdouts = rcu_holdouts & ~(1 << _pid) :: else fi
}"""
    leave_srcu = """\
inline leave_srcu_section() {
	srcu_nesting[_pid]--;
	srcu_holdouts = srcu_holdouts & ~(1 << _pid)
}"""
    answer = """\
inline answer_ipis() {
	if
	:: irq_off[_pid] == 0 ->
		for (p : 0 .. PROCESSES - 1) { ipi_unanswered[p] = ipi_unanswered[p] & ~(1 << _pid) }
	:: else
	fi
}"""
    send = """\
inline send_ipis() {
	for (p : 0 .. PROCESSES - 1) {
		if
		:: p != _pid && irq_off[p] > 0 -> ipi_unanswered[_pid] = ipi_unanswered[_pid] | (1 << p)
		:: else
		fi
	}
}"""

    send_to_owners = """\
/* only to those whose own page table has something of the range */
inline send_ipis_to_owners(from, upto) {
	for (p : 0 .. PROCESSES - 1) {
		found = 0;
		for (i : from .. upto - 1) { found = found | tlb[p * PAGES + i] };
		if
		:: p != _pid && irq_off[p] > 0 && found != 0 ->
			ipi_unanswered[_pid] = ipi_unanswered[_pid] | (1 << p)
		:: else
		fi
	}
}"""

    def start(which: str) -> str:
        """A grace period that waits for the sections of RCU, or of SRCU."""
        return "\n".join([
            f"inline start_{'srcu_' if which == 'srcu' else ''}grace_period() {{",
            "\trcu_callbacks = 0;",
            *queued,
            "\tfor (p : 0 .. PROCESSES - 1) {",
            f"\t\tif :: {which}_nesting[p] > 0 -> {which}_holdouts = {which}_holdouts | (1 << p) :: else fi",
            "\t}",
            "}",
        ])  # fmt: skip

    return [
        ("leave_section", leave), ("leave_srcu_section", leave_srcu),
        ("answer_ipis", answer), ("send_ipis", send),
        ("send_ipis_to_owners", send_to_owners),
        ("start_grace_period", start("rcu")), ("start_srcu_grace_period", start("srcu")),
        ("invoke_callbacks", "\n".join(["inline invoke_callbacks() {", *freed, "\tskip", "}"])),
    ]  # fmt: skip


def _tables(model: Model) -> list[tuple[str, str]]:
    put = f"folio_refcount[{model.folio_of('entry / PAGE_UNIT')}]--"
    folio = [f"\t\t\t:: (entry & (ANON | ZERO)) == 0 -> {put}"]
    pages = ["\t\t\t:: (entry & ANON) != 0 -> pages = pages | (1 << (entry / PAGE_UNIT))"]
    swapped = [
        "\t\t:: !KEPT(entry) && entry != 0 ->",
        "\t\t\tfolio_swap_count[entry / PAGE_UNIT]--;",
        "\t\t\tPTE(table, i) = 0",
    ]
    zap = [
        "inline zap_range(table, from, upto, pages) {",
        "\tfor (i : from .. (upto < TABLE_END(from) -> upto : TABLE_END(from)) - 1) {",
        "\t\tentry = PTE(table, i);",
        "\t\tif",
        "\t\t:: READABLE(entry) ->",
        "\t\t\tif",
        *(pages if model.has_pages() else []),
        *(folio if model.count(o.FOLIO) else []),
        "\t\t\t:: else",
        "\t\t\tfi;",
        "\t\t\tPTE(table, i) = 0",
        "\t\t:: (entry & MIGRATION) != 0 -> PTE(table, i) = 0",
        *(swapped if model.has_slots() else []),
        "\t\t:: else",
        "\t\tfi" + (";" if model.has_pages() else ""),
        *(["\t\twrites[i] = -1" + (";" if model.has_pins() else "")] if model.has_pages() else []),
        *(["\t\tpinned[i] = NULL"] if model.has_pins() else []),
        "\t}",
        "}",
    ]
    find_first = """\
inline find_first(from, upto, into) {
	into = NULL;
	for (i : from .. upto - 1) {
		if :: into == NULL -> into = tree[i] :: else fi
	}
}"""
    zap_file = """\
inline zap_file_pages(table, from, upto, pages) {
	for (i : from .. (upto < TABLE_END(from) -> upto : TABLE_END(from)) - 1) {
		entry = PTE(table, i);
		if
		:: READABLE(entry) && (entry & (ANON | ZERO)) == 0 ->
			PUT_FOLIO;
			WRITES_UNDEFINED
			PTE(table, i) = 0
		:: (entry & MIGRATION) != 0 ->
			WRITES_UNDEFINED
			PTE(table, i) = 0
		:: else
		fi
	}
}""".replace("\t\t\tWRITES_UNDEFINED\n", _undefined(model)).replace("PUT_FOLIO", put)
    epoch = """\
inline new_epoch(from, upto, ref) {
	k = 0;
	for (i : from .. upto - 1) {
		if :: tree[i] == ref -> k = 1 :: else fi
	}
	for (i : from .. upto - 1) {
		if
		:: tree[i] != ref && (tree[i] == 0 || k == 0) -> epoch[i] = (epoch[i] + 1) % WRITES
		:: else
		fi
	}
}"""
    change = """\
inline change_range(table, from, upto, writable) {
	for (i : from .. (upto < TABLE_END(from) -> upto : TABLE_END(from)) - 1) {
		if
		:: writable == 0 && READABLE(PTE(table, i)) -> PTE(table, i) = PTE(table, i) & ~WRITE
		:: else
		fi
	}
}"""
    store = """\
inline store_range(from, upto, ref) {
	for (i : from .. upto - 1) { tree[i] = ref }
}"""
    flush = """\
/* a process with interrupts off answers later, but runs no user code until then */
inline flush_tlbs(from, upto) {
	for (p : 0 .. PROCESSES - 1) {
		for (i : from .. upto - 1) { tlb[p * PAGES + i] = 0 }
	}
}"""
    number = model.folio_of("number")
    takeable = (
        f"#define TAKEABLE(number) (folio_cached[{number}] != 0 && folio_uptodate[{number}] != 0 "
        f"&& folio_lock_owner[{number}] == 0)"
    )
    take = """\
inline take_first(first, cursor) {
	do
	:: !TAKEABLE(first + cursor) -> cursor = cursor + 1
	:: else -> break
	od;
	folio_lock_owner[FOLIO] = _pid + 1;
	folio_refcount[FOLIO]++
}""".replace("FOLIO", model.folio_of("first + cursor"))
    maps = (
        "#define MAPS(number, file, offset, onwards) (vma_shared_rb[number] != 0 "
        "&& vma_vm_file[number] == file && (onwards || offset >= vma_vm_pgoff[number]) "
        "&& offset - vma_vm_pgoff[number] < vma_vm_end[number] - vma_vm_start[number])"
    )
    first = """\
inline first_mapping(next, file, offset, onwards) {
	do
	:: !MAPS(next, file, offset, onwards) -> next = next + 1
	:: else -> break
	od;
	next = next + 1
}"""
    return [
        ("zap_range", "\n".join(zap)), ("zap_file_pages", zap_file), ("new_epoch", epoch),
        ("change_range", change), ("store_range", store), ("flush_tlbs", flush),
        ("TAKEABLE", takeable), ("take_first", take), ("MAPS", maps), ("first_mapping", first),
        ("find_first", find_first),
    ]  # fmt: skip


def _undefined(model: Model) -> str:
    """An entry goes: nobody knows what will be there, and nothing is pinned there."""
    lines = ["writes[i] = -1;"] * model.has_pages() + ["pinned[i] = NULL;"] * model.has_pins()
    return "".join(f"\t\t\t{line}\n" for line in lines)
