"""What must hold once every process has ended, as a Promela process that waits for that."""

from __future__ import annotations

from spfvar.export.model import Model
from spfvar.ops import codes as c
from spfvar.ops import objects as o

_TABLES = """\
	/* every linked table and entry belongs to a VMA; every table in use is linked */
	found = 0;
	for (k : 0 .. PAGES / SPAN - 1) {
		if
		:: pmd[k] != NULL ->
			found++;
			mapped = 0;
			for (i : k * SPAN .. k * SPAN + SPAN - 1) {
				if :: VMA_AT(i) != NULL -> mapped = 1 :: else fi;
				entry = PTE(pmd[k], i);
				if
				:: READABLE(entry) -> check_entry()
				:: (entry & MIGRATION) != 0 -> fail(MIGRATION_LEFT) SWAPPED :: else
				fi
			};
			if :: mapped == 0 -> fail(TABLE_LEFT) :: else fi
		:: else
		fi
	};
	for (k : 0 .. TABLES - 1) {
		if :: page_table_life[k] == LIVE -> found-- :: else fi
	};
	if :: found != 0 -> fail(TABLE_LEFT) :: else fi;
	/* every VMA in use is in the tree */
	for (k : 0 .. VMAS - 1) {
		if :: vma_life[k] == LIVE && tree[vma_vm_start[k]] != k + 1 -> fail(REFCOUNT) :: else fi
	};"""

#: A swap entry belongs to a VMA, and its slot holds what the user wrote.
_SWAPPED = """\
				:: !KEPT(entry) && entry != 0 ->
					if :: VMA_AT(i) == NULL -> fail(PTE_LEFT) :: else fi;
					p = entry / PAGE_UNIT;
					if :: writes[i] >= 0 && folio_swap_data[p] != writes[i] -> fail(LOST_WRITE) :: else fi
				"""

_ENTRY = """\
/* a present entry of page i against its VMA */
inline check_entry() {
	q = VMA_AT(i) - 1;
	if
	:: q < 0 -> fail(PTE_LEFT)
	:: else ->
		if :: WRITABLE(entry) && vma_vm_page_prot[q] == 0 -> fail(PROTECTION) :: else fi;
		INSIDE_FILE
		if
		:: (entry & ANON) != 0 -> check_anonymous()
		:: (entry & (ANON | ZERO)) == 0 -> check_file()
		:: else
		fi
	fi
}"""

_FILE = """\
inline check_file() {
	if
	:: vma_vm_file[q] == NULL -> fail(WRONG_PAGE)
	:: else ->
		p = entry / PAGE_UNIT;
		if
		:: p != file_i_pages[vma_vm_file[q] - 1] + i - vma_vm_start[q] -> fail(WRONG_PAGE)
		:: else -> if :: folio_cached[FOLIO_OF_P] == 0 -> fail(TRUNCATED) :: else fi
		fi
	fi
}"""

_NO_FILE = "inline check_file() {\n\tfail(WRONG_PAGE)\n}"

_ANONYMOUS = """\
inline check_anonymous() {
	p = entry / PAGE_UNIT;
	if
	:: page_life[p] != LIVE -> fail(USE_AFTER_FREE)
	:: else ->
		/* a freed anon_vma is what whoever reclaims the page uses next */
		if
		:: page_mapping[p] != NULL ->
			if :: anon_vma_life[page_mapping[p] - 1] != LIVE -> fail(USE_AFTER_FREE) :: else fi
		:: else
		fi;
		if :: page_mapping[p] == NULL || vma_anon_vma[q] == NULL -> fail(RMAP) :: else fi;
		if :: page_index[p] != vma_vm_pgoff[q] + i - vma_vm_start[q] -> fail(WRONG_PAGE) :: else fi;
		if :: writes[i] >= 0 && page_data[p] != writes[i] -> fail(LOST_WRITE) :: else fi
	fi
}"""

_NO_PAGES = """\
inline check_anonymous() {
	if :: vma_anon_vma[q] == NULL -> fail(RMAP) :: else fi
}"""

_INSIDE_FILE = """\
if
		:: vma_vm_file[q] != NULL ->
			if :: i - vma_vm_start[q] >= file_i_size[vma_vm_file[q] - 1] -> fail(TRUNCATED) :: else fi
		:: else
		fi;"""

#: For each class: the check of one object ``k``, once ``found`` holds the references to it.
_COUNTS = {
    o.FILE: ("vma_vm_file", "file_f_count[k] != file_f_open[k] + found", True),
    o.FOLIO: ("(ANON | ZERO)) == 0", "folio_refcount[k] != found", False),
    o.PAGE: ("(ANON | ZERO)) == ANON", "page_refcount[k] != found", False),
    o.ANON_VMA_CLASS: ("vma_anon_vma", "anon_vma_refcount[k] != found", True),
}


def _named(text: str) -> str:
    """Violations by number instead of by name."""
    for name, number in vars(c).items():
        if name.startswith("V_"):
            text = text.replace(f"fail({name[2:]})", f"fail({number})")
    return text


def _locks(model: Model) -> list[str]:
    lines = ["\t/* no lock is held, nobody waits for one */"]
    for field in (*model.rwsems(), *model.spinlocks()):
        name = model.field(field)
        held = [f"{name}_readers[k] != 0", f"{name}_writer[k] != 0"]
        if field in model.spinlocks():
            held = [f"{name}_owner[k] != 0"]
        bad = " || ".join([*held, f"len({name}_waiters[k]) > 0"])
        lines += [
            f"\tfor (k : 0 .. {model.count(field.cls) - 1}) {{",
            f"\t\tif :: {bad} -> fail(LOCK_LEFT) :: else fi",
            "\t};",
        ]
    for field in model.range_locks():
        lines += [
            f"\tfor (k : 0 .. {model.count(field.cls) - 1}) {{",
            f"\t\tif :: {model.field(field)}_requests[k] != 0 -> fail(LOCK_LEFT) :: else fi",
            "\t};",
        ]
    for field in (one for one in model.words() if one.sequence):
        life = f"{field.cls.name}_life[k] == LIVE && " if model.has_lifetime(field.cls) else ""
        lines += [
            f"\tfor (k : 0 .. {model.count(field.cls) - 1}) {{",
            f"\t\tif :: {life}({model.field(field)}[k] & 1) != 0 -> fail(SEQUENCE_LEFT) :: else fi",
            "\t};",
        ]
    if c.SRCU_READ_LOCK in model.codes:
        lines += [
            "\tfor (k : 0 .. PROCESSES - 1) {",
            "\t\tif :: srcu_nesting[k] > 0 -> fail(LOCK_LEFT) :: else fi",
            "\t};",
        ]
    return lines


def _counts(model: Model) -> list[str]:
    live = "mm_life[k] == LIVE && " if model.has_lifetime(o.MM) else ""
    lines = [
        "\t/* reference counts equal the references; an mm in use has its users' one */",
        f"\tfor (k : 0 .. {model.count(o.MM) - 1}) {{",
        f"\t\tif :: {live}mm_mm_count[k] != 1 -> fail(REFCOUNT) :: else fi",
        "\t};",
    ]
    for cls, (users, bad, by_vmas) in _COUNTS.items():
        if not model.count(cls):
            continue
        lines += [f"\tfor (k : 0 .. {model.count(cls) - 1}) {{", "\t\tfound = 0;"]
        if by_vmas:
            lines += [
                f"\t\tfor (i : 0 .. {model.count(o.VMA) - 1}) {{",
                f"\t\t\tif :: vma_life[i] == LIVE && {users}[i] == k + 1 -> found++ :: else fi",
                "\t\t};",
                "\t\tif",
                f"\t\t:: {cls.name}_life[k] == LIVE && {bad} -> fail(REFCOUNT)",
                f"\t\t:: {cls.name}_life[k] != LIVE && found > 0 -> fail(USE_AFTER_FREE)",
                "\t\t:: else",
                "\t\tfi",
                "\t};",
            ]
            continue
        live = f"{cls.name}_life[k] == LIVE && " if model.has_lifetime(cls) else ""
        page = model.folio_of("entry / PAGE_UNIT") if cls == o.FOLIO else "entry / PAGE_UNIT"
        lines += [
            "\t\tfor (i : 0 .. PAGES - 1) {",
            "\t\t\tentry = 0;",
            "\t\t\tif :: PMD(i) != NULL -> entry = PTE(PMD(i), i) :: else fi;",
            f"\t\t\tif :: READABLE(entry) && (entry & {users} && {page} == k -> found++",
            "\t\t\t:: else fi",
            "\t\t};",
            f"\t\tif :: {live}{bad} -> fail(REFCOUNT) :: else fi",
            "\t};",
        ]
    if model.has_slots():
        lines += [
            f"\tfor (k : 0 .. {model.count(o.FOLIO) - 1}) {{",
            "\t\tfound = 0;",
            "\t\tfor (i : 0 .. PAGES - 1) {",
            "\t\t\tentry = 0;",
            "\t\t\tif :: PMD(i) != NULL -> entry = PTE(PMD(i), i) :: else fi;",
            "\t\t\tif :: !KEPT(entry) && entry != 0 && entry / PAGE_UNIT == k -> found++ :: else fi",
            "\t\t};",
            "\t\tif :: folio_swap_count[k] != found -> fail(REFCOUNT) :: else fi",
            "\t};",
        ]
    return lines


def referee(model: Model) -> str:
    """The checks, and the process that makes them when nobody can go on."""
    tables = _TABLES.replace("TABLES - 1", str(model.count(o.PAGE_TABLE) - 1))
    tables = tables.replace(" SWAPPED ", f"\n{_SWAPPED}" if model.has_slots() else " ")
    if c.PMD_KEEP in model.codes:
        tables = tables.replace("if :: mapped == 0 -> fail(TABLE_LEFT) :: else fi", "skip")
    tables = tables.replace("VMAS - 1", str(model.count(o.VMA) - 1))
    parts = [
        _FILE.replace("FOLIO_OF_P", model.folio_of("p")) if model.count(o.FILE) else _NO_FILE,
        _ANONYMOUS if model.has_pages() else _NO_PAGES,
        _ENTRY.replace("INSIDE_FILE", _INSIDE_FILE if model.count(o.FILE) else "skip;"),
        "\n".join(
            ["inline check_at_rest() {", *_locks(model), tables, *_counts(model), "\tskip", "}"]
        ),
        "/* waits until nobody can go on; if somebody has not ended, spin reports an invalid end state */",
        "\n".join([
            "active proctype referee() {",
            "end_watching:",
            "\tif",
            "\t:: d_step { timeout && ended == ACTORS -> check_at_rest() }",
            "\tfi;",
            "end_checked:",
            "\tfalse",
            "}",
        ]),
    ]  # fmt: skip
    return _named("\n\n".join(parts))
