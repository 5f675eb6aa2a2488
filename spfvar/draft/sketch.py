"""Which text of which hook point a change of a patch becomes, and what of the patch becomes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from spfvar.draft.calls import Calls, Role
from spfvar.draft.changes import Change, changes
from spfvar.draft.code import If, Line, Node, ending, simplified
from spfvar.draft.fragment import fragment
from spfvar.draft.known import Hook, Known
from spfvar.draft.pieces import Piece, defined_in, pieces_of
from spfvar.draft.translate import RESULTS, Found, Translator
from spfvar.draft.tree import Expression, Statement, statements_of
from spfvar.draft.words import normal
from spfvar.plugins.variant import Variant
from spfvar.review.patchmail import Patch


@dataclass(frozen=True, slots=True)
class Part:
    """A text: its hook point, what it is made of, and the line of the patch that it begins at.

    ``plain``: it takes the place of what is below; else it is stacked on that.
    """

    hook: Hook
    nodes: tuple[Node, ...]
    at: int
    function: str
    plain: bool

    def body(self) -> list[Node]:
        """What it is made of, in a form in which every fault ends."""
        return ending(self.nodes) if self.hook.has("vmf") else list(self.nodes)


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one function's part of a hunk.

    ``hooks`` are the hook points that it changes, () with ``why`` if none.  ``notes`` say what the draft
    takes for granted.
    """

    piece: Piece
    hooks: tuple[str, ...]
    found: tuple[Found, ...]
    why: str = ""
    notes: tuple[str, ...] = ()

    def count(self, came: str) -> int:
        """How many statements and tests came out so: "translated", "silent" or "TODO"."""
        return sum(one.came == came for one in self.found)


@dataclass(frozen=True, slots=True)
class Sketch:
    """A patch's texts, in order, and what came of each part of its hunks."""

    patch: Patch
    parts: tuple[Part, ...]
    rows: tuple[Row, ...]

    def count(self, came: str) -> int:
        """How many statements and tests came out so, of those in functions that have a hook point."""
        return sum(row.count(came) for row in self.rows)

    @property
    def todos(self) -> list[Found]:
        """The TODOs in order."""
        return [found for row in self.rows for found in row.found if found.came == "TODO"]


def sketch(patch: Patch, base: Variant) -> Sketch:
    """Draft a patch on top of a variant.  Raises InputError if tree-sitter is not installed."""
    known = Known(base)
    pieces = pieces_of(patch)
    bodies = {piece.function: _body(piece) for piece in pieces if piece.whole}
    defined = {
        name: frozenset(call.name for one in body for call in one.calls()) for name, body in bodies.items()
    }
    shown = defined_in(patch)
    helpers = {
        piece.function: bodies[piece.function]
        for piece in pieces
        if piece.whole and _hook_of(known, piece, defined, shown) is None
    }
    parts: list[Part] = []
    rows: list[Row] = []
    for piece in pieces:
        found, row = _Drafter(known, piece, _hook_of(known, piece, defined, shown), helpers).drafted()
        for part in found:
            if part.plain and any(one.plain and one.hook == part.hook for one in parts):
                row = replace(row, notes=(*row.notes, f"{piece.function} is defined a second time: left out"))
            else:
                parts.append(part)
        rows.append(row)
    return Sketch(patch, tuple(parts), tuple(rows))


def _body(piece: Piece) -> tuple[Statement, ...]:
    return statements_of(fragment(piece.after()))


def _hook_of(
    known: Known, piece: Piece, defined: Mapping[str, frozenset[str]], shown: frozenset[str]
) -> str | None:
    """The hook point that a function is, or is part of.

    A helper beside the function of that name is none, unless it is all that this one calls.  ``defined``:
    what each function calls that the patch defines; ``shown``: the functions that it shows the begin of.
    """
    name = piece.function
    hook = known.hook_of(name) if name else None
    if hook is not None and hook in shown and name != hook and name.lstrip("_") == hook:
        return hook if name in defined.get(hook, ()) else None
    return hook


@dataclass
class _Drafter:
    """Drafts one piece."""

    known: Known
    piece: Piece
    name: str | None
    helpers: dict[str, tuple[Statement, ...]]

    def drafted(self) -> tuple[list[Part], Row]:
        piece = self.piece
        before, after = fragment(piece.before()), fragment(piece.after())
        old, new = statements_of(before), statements_of(after)
        if piece.whole:
            return self._whole(self.name, new)
        self.begins, self.ends = after.begins, after.ends
        self.hook = self.known.hook(self.name) if self.name is not None else None
        parts: list[Part] = []
        found: list[Found] = []
        notes: list[str] = []
        hooks: dict[str, None] = {}
        lost = 0
        for change in changes(old, new):
            change, known = self._what_is_new(_more_tests(self._pruned(change)))
            if known:
                hooks[self.hook.name if self.hook is not None else ""] = None
                found += [Found(one.at, one.text, "translated") for one in _leaves(known)]
            if not self._does_something(change):
                found += self._silent(change)
                continue
            result = self._changed(change)
            if result is None:
                lost += sum(statement.changed for statement in (*change.added, *change.removed))
                continue
            part, noted, note = result
            hooks[part.hook.name] = None
            found += noted
            notes += [note] if note else []
            if not _is_only_below(part.nodes):
                parts.append(part)
        why = ""
        if not hooks:
            why = "nothing that the model has" if not lost else self._no_hook()
        return parts, Row(piece, tuple(hooks), tuple(found), why, tuple(notes))

    def _no_hook(self) -> str:
        return f"no hook point for {self.piece.function}" if self.piece.function else "no function"

    def _whole(self, name: str | None, body: tuple[Statement, ...]) -> tuple[list[Part], Row]:
        """A function that the patch defines."""
        piece = self.piece
        if name is None:
            why = f"no hook point for {piece.function}, a new function"
            return [], Row(piece, (), (), why)
        hook = self.known.hook(name)
        calls = [self.known.hook_of(call.name) for statement in body for call in statement.calls()]
        effects = self._steps(body)
        if len(effects) == 1 and calls and calls[-1] == name:
            return [], Row(piece, (), self._silent(Change((), body)), f"another name of {name}")
        if (
            not any(isinstance(node, If) or "yield" in node.text for node in effects)
            and piece.function != name
        ):
            return [], Row(piece, (), self._silent(Change((), body)), "nothing that the model has")
        translator = self._translator(Role(hook, alone=True))
        nodes = translator.text(body)
        part = Part(hook, tuple(nodes), piece.lines[0].at, piece.function, plain=True)
        return [part], Row(piece, (name,), tuple(translator.found.values()))

    # --- one change ------------------------------------------------------------------------------

    def _changed(self, change: Change) -> tuple[Part, list[Found], str] | None:
        """The text that a change becomes; None if the model has no place for it."""
        if self._is_there_already(change):
            found = [
                Found(one.at, one.text, "translated")
                for one in _leaves(change.added)
                if one.kind != "declaration"
            ]
            hook = self.hook or self.known.hook(self._hooks_in(change.added)[0])
            only_below = (Line("return (yield from below)", 0),)
            return Part(hook, only_below, change.at, self.piece.function, plain=False), found, ""
        around = self._around_a_call(change)
        if around is not None:
            hook, role = around
            translator = self._translator(role)
            nodes = translator.text(change.added)
            part = Part(hook, tuple(nodes), change.at, self.piece.function, plain=False)
            function = self.piece.function
            note = f"line {change.at} of the patch: for every call of {hook.name}, not for {function}'s alone"
            return part, list(translator.found.values()), note
        return self._in_function(change) if self.hook is not None else None

    def _is_there_already(self, change: Change) -> bool:
        """Do both forms call the same hook points, which the text below calls too, under the same flags?"""
        old, new = self._hooks_in(change.removed), self._hooks_in(change.added)
        if not old or old != new or _flags(change.removed) != _flags(change.added) or self.hook is None:
            return False
        if _gathered(change.removed) != _gathered(change.added):
            return False
        if _skeleton(change.removed) == _skeleton(change.added):
            return True
        kept = _without_failures(change.added, self._called_in)
        tests = [one.value for outer in kept for one in outer.below() if one.kind == "if"]
        only = all(test is not None and self._called_in(test) in new for test in tests)
        return only and set(new) <= self.known.mentioned(self.hook.name)

    def _what_is_new(self, change: Change) -> tuple[Change, tuple[Statement, ...]]:
        """A change without the end of it, if that calls what was called there before; and that end."""
        removed, added = change.removed, change.added
        for i in range(len(removed)):
            for j in range(len(added)):
                ends = replace(change, removed=removed[i:], added=added[j:])
                if (i or j) and self._is_there_already(ends):
                    return replace(change, removed=removed[:i], added=added[:j]), ends.added
        return change, ()

    def _called_in(self, test: Expression) -> str | None:
        """The hook point whose outcome a test is."""
        if test.kind == "not":
            return self._called_in(test.parts[0])
        return self.known.hook_called(test.name) if test.kind == "call" else None

    def _around_a_call(self, change: Change) -> tuple[Hook, Role] | None:
        """A change around the call of a hook point belongs to that one."""
        name = self.hook.name if self.hook is not None else ""
        if not change.removed:
            call = _called_by(change.later[0]) if change.later else None
            hook = self.known.hook_called(call.name) if call is not None else None
            if hook is None or hook == name or not (change.earlier or change.guards):
                return None
            if self._is_silent(change.earlier) and not change.guards:
                return None
            return self.known.hook(hook), Role(self.known.hook(hook))
        if len(change.removed) != 1:
            return None
        statement = change.removed[0]
        found = [call for call in statement.calls() if self.known.hook_called(call.name) not in (None, name)]
        if len(found) != 1 or self._is_result(statement):
            return None
        hook = self.known.hook_called(found[0].name)
        assert hook is not None
        plain = found[0].name.lstrip("_")
        same = {
            call.name
            for one in change.added
            for call in one.calls()
            if call.name.lstrip("_") == plain or self.known.hook_called(call.name) == hook
        }
        if not same:
            return None
        value = statement.value
        target = value.parts[0].text if value is not None and value.kind == "assign" else ""
        role = Role(
            self.known.hook(hook), call=normal(found[0].text), calls=frozenset(same), value=target,
            around=True,
        )  # fmt: skip
        return self.known.hook(hook), role

    def _is_result(self, statement: Statement) -> bool:
        """Is what a statement calls the result of the whole function?"""
        if statement.kind == "return":
            return True
        value = statement.value
        return value is not None and value.kind == "assign" and value.parts[0].text in RESULTS

    def _in_function(self, change: Change) -> tuple[Part, list[Found], str]:
        """The change as a text of the function's own hook point."""
        assert self.hook is not None
        removed = [one for one in change.removed if self._steps((one,))]
        calls = [call for one in removed for call in one.calls() if not self._is_silent_call(call)]
        one_hook = len(calls) == 1 and self.known.hook_called(calls[0].name) is not None
        call = normal(calls[0].text) if one_hook else ""
        below = tuple(normal(one.text) for one in removed)
        own = self.piece.function.lstrip("_")
        role = Role(self.hook, below, call)
        if not self._uses(change.added, role):
            names = {
                c.name for one in change.added for c in one.calls() if c.name.lstrip("_") == own != c.name
            }
            role = replace(role, calls=frozenset(names))
        uses = self._uses(change.added, role)
        role = replace(role, replaces=bool(removed) and uses)
        translator = self._translator(role)
        result = self._is_last(change)
        if result:
            nodes = translator.behind(change.added, result)
            part = Part(self.hook, tuple(nodes), change.at, self.piece.function, plain=False)
            return part, list(translator.found.values()), ""
        nodes = translator.text(change.added)
        note = ""
        if removed and not uses:
            nodes = [self._removed(translator, removed), *nodes]
        if len(nodes) > 1 + bool(removed and not uses) and not self._is_first(change):
            line = f"line {change.at} of the patch is in the middle of {self.piece.function}"
            if uses:
                note = f"{line}: taken as its begin"
            elif change.added:
                nodes = self._if_reached(translator, change, nodes)
        part = Part(self.hook, tuple(simplified(nodes)), change.at, self.piece.function, plain=False)
        return part, list(translator.found.values()), note

    def _removed(self, translator: Translator, removed: Sequence[Statement]) -> Line:
        """What is taken away cannot be taken out of the text below."""
        first = removed[0]
        text = f"without line {first.at}"
        translator.found[first.at, text] = Found(
            first.at, first.text, "TODO", "removed: the text below has it"
        )
        return Line(f'yield todo("{text}")', first.at)

    def _if_reached(self, translator: Translator, change: Change, nodes: list[Node]) -> list[Node]:
        """Statements in the middle of a function: whether it gets there is open."""
        text = f"reaches line {change.at}"
        translator.found[change.at, text] = Found(change.at, text, "TODO", "in the middle of the function")
        test = f'(yield todo("{text}", False, True))'
        end = _below_of(self.hook)
        first = nodes[0]
        if len(nodes) == 2 and isinstance(first, If) and not first.orelse and "yield" not in first.test:
            inner = If(test, first.then, (), first.at)
            return [If(first.test, (inner,), (), first.at), *nodes[1:]]
        return [If(test, tuple(nodes), (), change.at), end]

    # --- what a change is about ------------------------------------------------------------------

    def _is_first(self, change: Change) -> bool:
        """Does the function begin with it, but for what the model has not?"""
        if change.guards:
            return False
        declared = any(one.kind == "declaration" for one in change.earlier)
        return (declared or self.begins) and self._is_silent(change.earlier)

    def _is_last(self, change: Change) -> str:
        """C's variable for the result, or "ret", if the change is the last that a function does; else ""."""
        if not self.ends or change.guards or change.removed or self._is_first(change):
            return ""
        *silent, end = change.later or (None,)
        if any(one is not None and not self._is_silent((one,)) for one in silent):
            return ""
        if end is None or (end.kind != "return" and self._is_silent((end,))):
            return "ret"
        if end.kind != "return" or end.value is None:
            return ""
        assert self.hook is not None
        return Calls(self.known, Role(self.hook)).variable(end.value.text)

    def _does_something(self, change: Change) -> bool:
        kinds = [one.kind for one in change.removed], [one.kind for one in change.added]
        if kinds == (["goto"], ["goto"]) or (kinds == (["return"], ["return"]) and _is_name(change.added[0])):
            return False  # a label or a result has another name
        return not (self._is_silent(change.removed) and self._is_silent(change.added))

    def _is_silent(self, statements: Sequence[Statement]) -> bool:
        """Do statements nothing but to compute?"""
        return all(
            isinstance(node, Line)
            and not node.text.startswith(("yield", "return"))
            and "= yield" not in node.text
            for node in self._steps(tuple(statements))
        )

    def _steps(self, statements: tuple[Statement, ...]) -> list[Node]:
        """What statements do, as the text of whatever hook point there is."""
        hook = getattr(self, "hook", None) or self.known.hook("handle_mm_fault")
        return self._translator(Role(hook, alone=True)).steps(statements)

    def _silent(self, change: Change) -> tuple[Found, ...]:
        return tuple(
            Found(one.at, one.text, "silent")
            for one in _leaves(change.added)
            if one.kind not in ("declaration", "label") or one.value is not None
        )

    def _is_silent_call(self, call: Expression) -> bool:
        table = self.known.table
        if any(call.name in names for names in table.silent.values()):
            return True
        return self.known.word(call.name, [part.text for part in call.parts]).kind == "silent"

    def _hooks_in(self, statements: Sequence[Statement]) -> list[str]:
        """The hook points and unknown functions that statements call, in order; without what failures do."""
        found = []
        for statement in _without_failures(statements, self._called_in):
            for call in statement.calls():
                if self._is_silent_call(call):
                    continue
                hook = self.known.hook_called(call.name)
                if hook is None:
                    word = self.known.word(call.name, [part.text for part in call.parts])
                    letter = word.letters[0] if word.letters else call.name
                    hook = self.known.table.letters.get(letter, letter)
                found.append(hook)
        return found

    def _pruned(self, change: Change) -> Change:
        """Without what another hook point does here."""
        gone = self.known.table.elsewhere.get(self.piece.function, ())
        return replace(
            change, removed=tuple(_without(change.removed, gone)), added=tuple(_without(change.added, gone))
        )

    def _uses(self, statements: Sequence[Statement], role: Role) -> bool:
        """Do statements call what the text below is in the place of?"""
        for statement in statements:
            for call in statement.calls():
                if (role.call and normal(call.text) == role.call) or call.name in role.calls:
                    return True
        texts = [normal(one.text) for outer in statements for one in outer.below()]
        return bool(role.below) and all(text in texts for text in role.below)

    def _translator(self, role: Role) -> Translator:
        return Translator(self.known, role, self.piece.function, self.helpers)


def _without_failures(
    statements: Sequence[Statement], called: Callable[[Expression], str | None]
) -> list[Statement]:
    """Statements without what is done, before the function ends, where a hook point says no."""
    found = []
    for one in statements:
        ends = one.body and one.body[-1].kind in ("return", "goto")
        fails = one.kind == "if" and one.value is not None and called(one.value) is not None
        found.append(replace(one, body=()) if fails and ends else one)
    return found


def _is_name(statement: Statement) -> bool:
    return statement.value is not None and statement.value.text.isidentifier()


def _skeleton(statements: Sequence[Statement]) -> list[tuple[str, tuple[str, ...]]]:
    """The kinds of statements, and which functions each calls."""
    return [
        (one.kind, tuple(call.name for call in one.value.calls()) if one.value is not None else ())
        for outer in statements
        for one in outer.below()
    ]


def _below_of(hook: Hook | None) -> Line:
    nothing = hook is not None and hook.kind == "nothing"
    return Line("yield from below" if nothing else "return (yield from below)", 0)


def _is_only_below(nodes: Sequence[Node]) -> bool:
    """Does a text do nothing but what is below it?"""
    texts = ("return (yield from below)", "yield from below")
    return not nodes or (len(nodes) == 1 and isinstance(nodes[0], Line) and nodes[0].text in texts)


def _leaves(statements: Sequence[Statement]) -> Iterator[Statement]:
    """Statements without blocks, and ifs for their tests."""
    for statement in statements:
        for one in statement.below():
            if one.kind != "label":
                yield one


def _flags(statements: Sequence[Statement]) -> list[str]:
    """The tests of flags in statements."""
    return [
        normal(one.value.text)
        for statement in statements
        for one in statement.below()
        if one.kind == "if" and one.value is not None and "FAULT_FLAG_" in one.value.text
    ]


def _gathered(statements: Sequence[Statement]) -> list[str]:
    """What is called for a result that is put together with another one, as in ``ret |= f()``."""
    values = [one.value for outer in statements for one in outer.below()]
    return [
        call.name
        for value in values
        if value is not None and value.kind == "assign" and value.name != "="
        for call in value.calls()
    ]


def _without(statements: Sequence[Statement], gone: Sequence[str]) -> Iterator[Statement]:
    if not gone:
        yield from statements
        return
    for statement in statements:
        if statement.kind == "if" and statement.value is not None:
            text = normal(statement.value.text)
            if any(piece in text for piece in gone):
                continue
            body, orelse = (tuple(_without(arm, gone)) for arm in (statement.body, statement.orelse))
            if not body and not orelse and (statement.body or statement.orelse):
                continue
            yield replace(statement, body=body, orelse=orelse)
        else:
            yield statement


def _more_tests(change: Change) -> Change:
    """A condition that was ``a`` and becomes ``a || b``, in front of the same: that is done if ``b``, too."""
    if len(change.removed) != 1 or len(change.added) != 1:
        return change
    old, new = change.removed[0], change.added[0]
    if old.kind != "if" or new.kind != "if" or old.value is None or new.value is None:
        return change
    if new.value.kind != "or":
        return change
    if [one.text for one in (*old.body, *old.orelse)] != [one.text for one in (*new.body, *new.orelse)]:
        return change
    left, right = new.value.parts
    added = (replace(new, value=right),)
    if left.text == old.value.text:
        return replace(change, removed=(), added=added)
    if old.value.kind == "or" and old.value.parts[0].text == left.text:
        return replace(change, removed=(replace(old, value=old.value.parts[1]),), added=added)
    return change


def _called_by(statement: Statement) -> Expression | None:
    """The call that a statement is, returns or assigns."""
    value = statement.value
    if value is None or statement.kind not in ("return", "expression", "declaration"):
        return None
    if value.kind == "assign" and len(value.parts) == 2:
        value = value.parts[1]
    return value if value.kind == "call" else None
