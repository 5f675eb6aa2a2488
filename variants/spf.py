"""The 2021 speculative page faults as three stacks: anonymous only, the whole series, map_pages only.

As intended, with repairs (`spf_series`); docs/series.md says how to make any other stack of the same patches.
"""

from spfvar.plugins.variant import Variant

from . import spf_patches as p
from .spf_series import EVENTS, SPF

ANONYMOUS = SPF.choose("spf@23+33+34+35").numbers
WITH_MAP_PAGES = SPF.choose("spf@23+27+28+33+34+35").numbers

VARIANTS = [
    Variant(
        name="spf-anon",
        title="speculative faults, anonymous memory only",
        kernel="v5.12-rc5 + RFC 1-23, 33-35",
        source="20210407014502.24091-1-michel@lespinasse.org",
        patches=SPF.stack(ANONYMOUS),
        events=EVENTS,
        repairs=SPF.repairs(ANONYMOUS),
        description="The series up to patch 23, with the gate of patches 33 and 34: spf@23+33+34+35.",
    ),
    Variant(
        name="spf-do-fault",
        title="speculative faults, the whole series",
        kernel="v5.12-rc5 + RFC 1-35",
        source="20210407014502.24091-25-michel@lespinasse.org",
        patches=SPF.variant("spf").patches,
        events=EVENTS,
        repairs=SPF.variant("spf").repairs,
        description="With speculative __do_fault(), so file reads and private file writes too: spf.",
        rivals=("spf-map-pages",),
    ),
    Variant(
        name="spf-map-pages",
        title="speculative faults, file reads through map_pages only",
        kernel="v5.12-rc5 + RFC 1-23, 27, 28, 33-35",
        source="20210408071343.GJ2531743@casper.infradead.org",
        patches=SPF.stack(WITH_MAP_PAGES, extra=(p.MapPagesOnly,)),
        events=EVENTS,
        repairs=SPF.repairs(WITH_MAP_PAGES),
        description="The reviewer's proposal: without patches 24-26 and 29-32. spf@23+27+28+33+34+35, with "
        "MapPagesOnly in their place.",
    ),
]
