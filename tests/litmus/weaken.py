"""A litmus test with less order: each fence taken out, each ordered access made relaxed, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from spfvar.litmus.ast import Cmpxchg, Fence, If, Load, Rmw, Statement, Store, Test

Body = tuple[Statement, ...]


def weakenings(test: Test) -> Iterator[tuple[str, Test]]:
    """Every test that has one order less, with the words for it, such as ``P1: no rmb``."""
    for number, thread in enumerate(test.threads):
        for what, body in _bodies(thread.body):
            threads = (*test.threads[:number], replace(thread, body=body), *test.threads[number + 1 :])
            yield f"P{number}: {what}", replace(test, threads=threads)


def _bodies(body: Body) -> Iterator[tuple[str, Body]]:
    for place, statement in enumerate(body):
        for what, instead in _instead(statement):
            yield what, (*body[:place], *instead, *body[place + 1 :])


def _instead(statement: Statement) -> Iterator[tuple[str, Body]]:
    match statement:
        case Fence(kind):
            yield f"no {kind}", ()
        case Load(order="acquire") | Store(order="release"):
            yield f"no {statement.order}", (replace(statement, order="once"),)
        case Rmw(order="full") | Cmpxchg(order="full"):
            yield "acquire, not full", (replace(statement, order="acquire"),)
            yield "release, not full", (replace(statement, order="release"),)
            yield "relaxed, not full", (replace(statement, order="once"),)
        case Rmw(order="acquire" | "release") | Cmpxchg(order="acquire" | "release"):
            yield f"no {statement.order}", (replace(statement, order="once"),)
        case If(_, then, otherwise):
            yield from ((what, (replace(statement, then=body),)) for what, body in _bodies(then))
            yield from ((what, (replace(statement, otherwise=body),)) for what, body in _bodies(otherwise))
