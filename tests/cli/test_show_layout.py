"""spfvar show LAYOUT, and the cache lines of a variant."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import spfvar
from tests.cli.test_show import shown


def test_a_layout_says_for_which_kernels_from_where_and_what_shares_a_line() -> None:
    """Within 80 columns; member and offset, line by line."""
    output = shown("show", "v5.13")
    assert "kernels: from v5.12.12, v5.13-rc6 on" in output
    assert "2e3025434a6b" in output
    assert "struct mm_struct, read in the source, offsets added up by hand:" in output
    words = " ".join(output.split())
    assert "page_table_lock 116, mmap_lock 120 line 2: mmlist 160" in words
    assert max(len(line) for line in output.splitlines()) <= 80


def test_a_variant_says_which_of_its_members_share_a_line() -> None:
    """What its patches add has a plus, and lies behind the member that they say."""
    output = shown("show", "-v", "spf-anon")
    assert "(struct layout v5.12; a patch adds what has a +):" in output
    assert "  mm_struct line 2: mmap_lock 128, +mmap_seq 168\n" in output
    # A kernel that has the member needs no patch; the owner is shown where it is on another line.
    assert "mm_struct line 3: mm_lock_seq 224" in shown("show", "-v", "per-vma-6.12")
    assert "mm_struct line 3: mmap_lock's owner, vma_writer_wait 240" in shown("show", "-v", "per-vma-refcnt")


def test_a_plugins_own_layout_is_used_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    """By the variant's ``layout`` and ``apart``; the error names the nearest."""
    text = """
from spfvar.plugins.variant import Variant

VARIANTS = [Variant("mine", "t", "v5.12", "none", layout="{}", apart=("mm_struct.mmap_lock",))]
"""
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(text.format("v6.5"))
    wrong.write_text(text.format("v6.55"))
    output = shown("show", "-v", "mine", "--plugin", str(right))
    assert "mm_struct line 2: pgtables_bytes 152, page_table_lock 164\n" in output
    assert "each on a line of its own: " in output
    result = spfvar("show", "mine", "--plugin", str(wrong))
    assert result.code == 2
    assert "unknown layout 'v6.55': did you mean 'v6.5'?" in " ".join(result.err.split())
