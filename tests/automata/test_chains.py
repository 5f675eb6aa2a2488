"""Extraction with the calls that lead to each primitive."""

from __future__ import annotations

from spfvar.automata.extract import Extractor
from spfvar.ops.op import Call, Steps
from tests.automata.test_extract import called_twice, no_hooks


def test_chains_say_who_called_the_caller() -> None:
    """A helper's helper: with callers, the call of it; with chains, how that came to be called, too."""

    def text() -> Steps:
        yield Call(called_twice, ())

    def sites(chains: bool) -> set[tuple[str, ...]]:
        marked = Extractor(no_hooks).automaton("text", text, callers=True, chains=chains)
        found = set()
        for op in marked.ops():
            if op.name == "lock":
                site, functions = op.caller, []
                while site is not None:
                    functions.append(site.function)
                    site = site.caller
                found.add(tuple(functions))
        return found

    assert sites(chains=False) == {("one",), ("other",)}
    assert sites(chains=True) == {("one", "called_twice"), ("other", "called_twice")}
