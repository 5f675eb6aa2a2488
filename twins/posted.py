"""The 2021 series as it was posted, where that differs from what it means: a twin per open question."""

from spfvar.variants import spf_posted
from spfvar.variants.spf_patches import SpeculativeFilemapFault

from spfvar.plugins.variant import Twin

TWINS = [
    Twin(
        bug="H5",
        title="a speculative filemap_fault() that gives up keeps the page's reference",
        source="20210407014502.24091-26-michel@lespinasse.org",
        fixed="spf-do-fault",
        race="reclaim-read",
        prop="P14",
        patches=(spf_posted.LeakTheFolio,),
        without=(SpeculativeFilemapFault,),
        description="As posted in patch 25.",
    ),
    Twin(
        bug="H7",
        title="a speculative wp_page_copy() that gives up skips the end of the notifier's section",
        source="20210407014502.24091-20-michel@lespinasse.org",
        fixed="spf-anon",
        race="two-copies",
        prop="P14",
        patches=(spf_posted.NotifierWithoutEnd,),
        description="As posted in patch 19; the second version of the series ends it.",
    ),
]
