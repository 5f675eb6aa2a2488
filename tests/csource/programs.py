"""Small C, made up: trees of statements, as text and as what a reader makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

#: How often a loop goes round, at most, in an enumeration.
ROUNDS = 2


@dataclass(frozen=True)
class Call:
    """``c3();``"""

    number: int


@dataclass(frozen=True)
class Leave:
    """``return;``, ``break;``, ``continue;`` or ``goto out;``"""

    how: str


@dataclass(frozen=True)
class If:
    """A condition is a list of tests, joined by && or ||."""

    tests: tuple[int, ...]
    joined: str
    yes: tuple[object, ...]
    no: tuple[object, ...]


@dataclass(frozen=True)
class While:
    """With the test in front, or behind (``do``)."""

    test: int
    body: tuple[object, ...]
    behind: bool


def bodies(depth: int = 2, in_loop: bool = False) -> st.SearchStrategy[tuple[object, ...]]:
    """Statements, nested so deep."""
    leaves = ["return", "goto out"] + (["break", "continue"] if in_loop else [])
    one: st.SearchStrategy[object] = st.one_of(
        st.builds(Call, st.integers(0, 9)), st.builds(Leave, st.sampled_from(leaves))
    )
    if depth:
        inner = bodies(depth - 1, in_loop)
        tests = st.lists(st.integers(0, 9), min_size=1, max_size=2).map(tuple)
        one = st.one_of(
            one,
            st.builds(If, tests, st.sampled_from(["&&", "||"]), inner, inner),
            st.builds(While, st.integers(0, 9), bodies(depth - 1, True), st.booleans()),
        )
    return st.lists(one, max_size=3).map(tuple)


def text_of(body: tuple[object, ...]) -> str:
    """As C; a label ``out`` is at its end, behind which ``done()`` is called."""
    return f"void f(void) {{ {_text(body)} out: done(); }}"


def _text(body: tuple[object, ...]) -> str:
    parts = []
    for one in body:
        match one:
            case Call(number):
                parts.append(f"c{number}();")
            case Leave(how):
                parts.append(f"{how};")
            case If(tests, joined, yes, no):
                condition = f" {joined} ".join(f"t{test}()" for test in tests)
                parts.append(f"if ({condition}) {{ {_text(yes)} }} else {{ {_text(no)} }}")
            case While(test, inner, True):
                parts.append(f"do {{ {_text(inner)} }} while (t{test}());")
            case While(test, inner, False):
                parts.append(f"while (t{test}()) {{ {_text(inner)} }}")
    return " ".join(parts)


#: What a path called so far, and how it leaves what it is in ("": it goes on).
Path = tuple[tuple[str, ...], str]


def words_of(body: tuple[object, ...]) -> set[tuple[str, ...]]:
    """What each path through the function calls, loops going round ROUNDS times at most."""
    found = set()
    for called, how in _paths(body):
        found.add(called if how == "return" else (*called, "done"))
    return found


def _paths(body: tuple[object, ...]) -> Iterator[Path]:
    ways: list[Path] = [((), "")]
    for one in body:
        ways = list(
            dict.fromkeys(
                (called + more, further) if how == "" else (called, how)
                for called, how in ways
                for more, further in (_one(one) if how == "" else [((), "")])
            )
        )
    yield from ways


def _one(one: object) -> list[Path]:
    match one:
        case Call(number):
            return [((f"c{number}",), "")]
        case Leave(how):
            return [((), how)]
        case If(tests, joined, yes, no):
            return _if(tests, joined, yes, no)
        case While(test, inner, behind):
            return _while(f"t{test}", inner, behind)
    raise AssertionError(one)


def _if(tests: tuple[int, ...], joined: str, yes: tuple[object, ...], no: tuple[object, ...]) -> list[Path]:
    asked: list[tuple[tuple[str, ...], bool]] = []
    ahead: list[tuple[str, ...]] = [()]
    for number, test in enumerate(tests):
        last = number == len(tests) - 1
        ahead = [(*called, f"t{test}") for called in ahead]
        short = joined == "||"  # the outcome that ends the asking
        asked += [(called, short) for called in ahead]
        if last:
            asked += [(called, not short) for called in ahead]
    return list(
        dict.fromkeys(
            (called + more, how) for called, holds in asked for more, how in _paths(yes if holds else no)
        )
    )


def _while(test: str, inner: tuple[object, ...], behind: bool) -> list[Path]:
    done: list[Path] = []
    ahead: list[tuple[str, ...]] = [()]
    for number in range(ROUNDS + 1):
        if not (behind and number == 0):
            ahead = [(*called, test) for called in ahead]
            done += [(called, "") for called in ahead]
        if number == ROUNDS:
            break
        further: list[tuple[str, ...]] = []
        for called in ahead:
            for more, how in _paths(inner):
                if how in ("", "continue"):
                    further.append(called + more)
                elif how == "break":
                    done.append((called + more, ""))
                else:
                    done.append((called + more, how))
        ahead = list(dict.fromkeys(further))
    return list(dict.fromkeys(done))
