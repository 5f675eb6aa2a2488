"""Templates: allocation, RCU, interrupts, the VMA tree.

RCU as in Documentation/RCU/whatisRCU.rst: a grace period ends when every reader that was in a section when it
began has left that section.
"""

from __future__ import annotations

from collections.abc import Callable

from spfvar.export.steps import Fault, Operands, Step, Way, done, fail, template, test
from spfvar.ops import codes as c

# --- objects -------------------------------------------------------------------------------------


@template(c.ALLOC)
def allocate(x: Operands) -> Step:
    """The object that was freed last, zeroed."""
    assert x.op.dst is not None
    assert x.op.dst.cls is not None
    cls = x.op.dst.cls.name
    return Step((Way("", (f"alloc_{cls}({x.dst})",)),), (fail(f"{cls}_pooled == 0", c.V_NO_MEMORY),))


def _no_longer_ours(x: Operands) -> str:
    return f"{x.cls}_life[{x.index}] != LIVE"


@template(c.FREE)
def free(x: Operands) -> Step:
    """At once."""
    return Step(
        (Way("", (f"victim = {x.index}", f"{x.reference} = NULL", f"free_{x.cls}(victim)")),),
        (fail(_no_longer_ours(x), c.V_USE_AFTER_FREE),),
    )


@template(c.CALL_RCU)
def call_rcu(x: Operands) -> Step:
    """After a grace period that begins later."""
    effects = (f"{x.cls}_life[{x.index}] = CALLBACK_QUEUED", "rcu_callbacks++", f"{x.reference} = NULL")
    return Step((Way("", effects),), (fail(_no_longer_ours(x), c.V_USE_AFTER_FREE),))


# --- RCU and interrupts --------------------------------------------------------------------------

_OUTSIDE = "rcu_nesting[_pid] == 0"


@template(c.RCU_READ_LOCK)
def rcu_read_lock(x: Operands) -> Step:
    """Sections nest."""
    return done("rcu_nesting[_pid]++")


@template(c.RCU_READ_UNLOCK)
def rcu_read_unlock(x: Operands) -> Step:
    """A grace period no longer waits for who has left the outermost section."""
    return Step((Way("", ("leave_section()",)),), (fail(_OUTSIDE, c.V_UNBALANCED),))


@template(c.SRCU_READ_LOCK)
def srcu_read_lock(x: Operands) -> Step:
    """The same for sections that may sleep; they do not nest."""
    return done("srcu_nesting[_pid]++")


@template(c.SRCU_READ_UNLOCK)
def srcu_read_unlock(x: Operands) -> Step:
    """A grace period of SRCU no longer waits for who has left."""
    return Step((Way("", ("leave_srcu_section()",)),), (fail("srcu_nesting[_pid] == 0", c.V_UNBALANCED),))


@template(c.IRQ_DISABLE)
def local_irq_disable(x: Operands) -> Step:
    """No interrupts on this CPU; since v5.0 RCU waits for such sections, too."""
    return done("irq_off[_pid]++", "rcu_nesting[_pid]++")


@template(c.IRQ_ENABLE)
def local_irq_enable(x: Operands) -> Step:
    """Pending interrupts are taken."""
    flushed = ("catch_up()",) if x.imm else ()
    return Step(
        (Way("", (*flushed, "irq_off[_pid]--", "answer_ipis()", "leave_section()")),),
        (fail("irq_off[_pid] == 0", c.V_UNBALANCED), fail(_OUTSIDE, c.V_UNBALANCED)),
    )


@template(c.IPI_SEND)
def ipi_send(x: Operands) -> Step:
    """Interrupt every other CPU; those with interrupts on answer at once."""
    if x.op.src is None or not x.model.has_tlb():
        return done("send_ipis()")
    end = x.src2 if x.op.src2 is not None else f"{x.src} + {x.imm}"
    if x.model.has_lazy_cpus():
        freed = x.op.imm2
        return done(f"send_ipis_to_loaded({freed})", f"flush_tlbs_of_loaded({x.src}, {end}, {freed})")
    send = f"send_ipis_to_owners({x.src}, {end})" if x.model.has_own_tables() else "send_ipis()"
    flush = f"flush_tlbs({x.src}, {end})"
    return done(send, flush)


@template(c.IPI_WAIT)
def ipi_wait(x: Operands) -> Step:
    """Spin until all have answered."""
    return Step((Way("ipi_unanswered[_pid] == 0"),))


@template(c.RCU_GP_START)
def rcu_gp_start(x: Operands) -> Step:
    """A grace period for the callbacks queued so far: it waits for those who now are in a section."""
    return Step((Way("rcu_callbacks > 0", (f"start_{'srcu_' if x.op.imm else ''}grace_period()",)),))


@template(c.RCU_GP_WAIT)
def rcu_gp_wait(x: Operands) -> Step:
    """The grace period is over."""
    return Step((Way(f"{'srcu' if x.op.imm else 'rcu'}_holdouts == 0"),))


@template(c.RCU_INVOKE)
def rcu_invoke(x: Operands) -> Step:
    """Run the callbacks."""
    return done("invoke_callbacks()")


# --- the VMA tree --------------------------------------------------------------------------------


@template(c.FIND_VMA)
def find_vma(x: Operands) -> Step:
    """The VMA at the address, or the first one in a range."""
    if x.op.src2 is not None:
        pages = range(x.model.sizes.pages)
        within = [f"({x.src} <= {n} && {n} < {x.src2} && tree[{n}] != NULL)" for n in pages]
        found = f"({' || '.join(within)})"
        first = f"find_first({x.src}, {x.src2}, {x.dst})"
        faults = _marks(x, lambda mark: " || ".join(f"({_finds_first(x, n, mark)})" for n in pages))
        return Step((Way(f"!{found}", (f"{x.dst} = NULL",)), Way(found, (first,))), faults)
    found = f"{x.src} < PAGES && tree[{x.src}] != NULL"
    return Step(
        (Way(f"!({found})", (f"{x.dst} = NULL",)), Way(found, (f"{x.dst} = tree[{x.src}]",))),
        _marks(x, lambda mark: f"{x.src} < PAGES && tree[{x.src}] == {mark}"),
    )


_MARKS = {"DESTROYED": c.V_TREE_DESTROYED, "ZERO_ENTRY": c.V_ZERO_ENTRY}


def _marks(x: Operands, finds: Callable[[str], str]) -> tuple[Fault, ...]:
    """What a look must not find, in a model whose trees may have it."""
    if not x.model.has_marks():
        return ()
    return tuple(fail(finds(mark), violation) for mark, violation in _MARKS.items())


def _finds_first(x: Operands, page: int, mark: str) -> str:
    """In a range: has the first slot that has anything this mark, and is it this one?"""
    nothing_before = [f"({n} < {x.src} || tree[{n}] == NULL)" for n in range(page)]
    here = [f"{x.src} <= {page}", f"{page} < {x.src2}", f"tree[{page}] == {mark}"]
    return " && ".join([*here, *nothing_before])


@template(c.TREE_STORE)
def tree_store(x: Operands) -> Step:
    """The VMA's range finds it."""
    start, end = (f"vma_{name}[{x.index}]" for name in ("vm_start", "vm_end"))
    effects = [f"store_range({start}, {end}, {x.src})"]
    if x.model.has_pages():
        effects.insert(0, f"new_epoch({start}, {end}, {x.src})")
    return done(*effects)


@template(c.TREE_ERASE)
def tree_erase(x: Operands) -> Step:
    """The range finds nothing, or what nobody may look for there."""
    leaves = {c.TREE_DESTROYED: "DESTROYED", c.TREE_ZERO_ENTRY: "ZERO_ENTRY"}.get(x.imm, "NULL")
    return done(f"store_range({x.src}, {x.src2}, {leaves})")


@template(c.VMA_CONTAINS)
def vma_contains(x: Operands) -> Step:
    """vm_start <= address < vm_end?"""
    start, end = (f"vma_{name}[{x.index}]" for name in ("vm_start", "vm_end"))
    return test(f"{start} <= {x.src} && {x.src} < {end}")
