"""Grace periods: the kthread that frees what call_rcu or call_srcu was given (kernel/rcu)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import StrategyError
from spfvar.ops import codes as c
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.primitives import rcu_gp_start, rcu_gp_wait, rcu_invoke


def rcu_gp_kthread() -> Steps:
    """The grace-period kthread: waits for callbacks, then for the readers, then frees."""
    return _kthread(srcu=False)


def srcu_gp_kthread() -> Steps:
    """The same for SRCU: its readers may sleep in their sections."""
    return _kthread(srcu=True)


def _kthread(srcu: bool) -> Steps:
    yield loop("rcu_gp")
    yield rcu_gp_start(srcu)
    yield rcu_gp_wait(srcu)
    yield rcu_invoke()
    yield again("rcu_gp")


def gp_kthread(automata: Iterable[Automaton]) -> Callable[[], Steps] | None:
    """The text of the kthread that a run needs; None if nothing waits for a grace period.

    Raises StrategyError if some objects are freed by RCU and some by SRCU: there is one kthread.
    """
    calls = {bool(op.imm2) for automaton in automata for op in automaton.ops() if op.code == c.CALL_RCU}
    if len(calls) > 1:
        raise StrategyError("objects are freed by call_rcu and by call_srcu; a design may use one of them")
    if not calls:
        return None
    return srcu_gp_kthread if calls.pop() else rcu_gp_kthread
