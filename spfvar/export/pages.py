"""Inlines of anonymous pages: what the user and devices write to them, who refers to them."""

from __future__ import annotations

from spfvar.export.model import Model
from spfvar.ops import codes as c
from spfvar.ops import objects as o


def _pins(model: Model) -> list[tuple[str, str]]:
    device = """\
inline device_writes(number) {
	page_data[number] = (page_data[number] + 1) % WRITES;
	for (i : 0 .. PAGES - 1) {
		if
		:: pinned[i] == number + 1 && writes[i] >= 0 -> writes[i] = (writes[i] + 1) % WRITES
		:: else
		fi
	}
}"""
    last = """
		if
		:: page_refcount[number] <= PIN_BIAS ->
			for (i : 0 .. PAGES - 1) {
				if :: pinned[i] == number + 1 -> pinned[i] = NULL :: else fi
			}
		:: else
		fi;"""
    unpin = """\
inline unpin_page(number) {
	if
	:: page_life[number] == LIVE ->
		page_refcount[number] = page_refcount[number] - PIN_BIAS + 1;LAST
		skip
	:: else
	fi;
	put_page(number)
}""".replace("LAST", last if model.has_pins() else "")
    return [("device_writes", device), ("unpin_page", unpin)]


def pieces(model: Model) -> list[tuple[str, str]]:
    """Names and texts of inlines, each after those that it uses."""
    writes = """\
inline user_writes(pte_, address_) {
	entry = pte_;
	if
	:: (entry & ANON) != 0 ->
		page_data[entry / PAGE_UNIT] = (page_data[entry / PAGE_UNIT] + 1) % WRITES;
		k = (writes[address_] < -1 -> -2 - writes[address_] : address_);
		if :: writes[k] >= 0 -> writes[k] = (writes[k] + 1) % WRITES :: else fi
	:: else
	fi
}"""
    cached = "READABLE(tlb[i]) && (tlb[i] & ANON) != 0 && tlb[i] / PAGE_UNIT == number"
    if model.has_switches():
        cached += " && (tlb[i] & BEHIND) == 0"
    tlb = [
        "\t\t\tfor (i : 0 .. PROCESSES * PAGES - 1) {",
        "\t\t\t\tif",
        f"\t\t\t\t:: {cached} -> fail({c.V_TLB})",
        "\t\t\t\t:: else",
        "\t\t\t\tfi",
        "\t\t\t};",
    ]
    put = [
        "inline put_page(number) {",
        "\tif",
        f"\t:: page_life[number] != LIVE -> fail({c.V_USE_AFTER_FREE})",
        "\t:: else ->",
        "\t\tpage_refcount[number]--;",
        "\t\tif",
        "\t\t:: page_refcount[number] <= 0 ->",
        *(tlb if model.has_tlb() else []),
        "\t\t\tfree_page(number)",
        "\t\t:: else",
        "\t\tfi",
        "\tfi",
        "}",
    ]
    several = """\
inline put_pages(pages) {
	for (k : 0 .. PAGES_ - 1) {
		if :: (pages & (1 << k)) != 0 -> put_page(k) :: else fi
	};
	pages = 0
}""".replace("PAGES_", str(model.count(o.PAGE)))
    moved = "\tpinned[address_ + i] = pinned[origin + i];\n\t\tpinned[origin + i] = NULL"
    pins = f";\n\t{moved}" if model.has_pins() else ""
    move = """\
inline move_writes(origin, address_, pages) {
	for (i : 0 .. pages - 1) {
		writes[address_ + i] = writes[origin + i];
		writes[origin + i] = -2 - (address_ + i)PINS
	}
}""".replace("PINS", pins)
    return [
        ("move_writes", move),
        ("user_writes", writes),
        ("put_page", "\n".join(put)),
        ("put_pages", several),
        *_pins(model),
    ]
