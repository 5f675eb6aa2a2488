"""A draft's module: imports, the class of the patch with a method for each text, the variant."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from spfvar.draft.code import leaves, rendered, without_idle
from spfvar.draft.known import Hook, Known
from spfvar.draft.sketch import Part, Sketch
from spfvar.mm import hookspecs
from spfvar.scaffold.plans import Base

_WORD: Final = re.compile(r"(?<![.\w])([A-Za-z_]\w*)\b")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
#: Where the types of hook points' parameters come from.
_TYPES: Final = {
    "VmFault": "spfvar.mm.vmf", "Mapping": "spfvar.mm.vmf", "Register": "spfvar.ops.places", "Any": "typing",
    "Steps": "spfvar.ops.op", "Generator": "collections.abc", "loop": "spfvar.ops.op",
    "again": "spfvar.ops.op",
    "Variant": "spfvar.plugins.variant", "hookimpl": "spfvar.mm.hookspecs", "VMFault": "spfvar.mm.vmf",
}  # fmt: skip
_WIDTH: Final = 88


@dataclass(frozen=True, slots=True)
class Module:
    """What a module is made from: the variant's name, the class of each patch, the file it comes from."""

    name: str
    classes: tuple[tuple[str, Sketch], ...]
    file: str
    base: Base | None


def module_text(module: Module, known: Known) -> str:
    """The module as Python text."""
    module = replace(module, file=_plain(module.file) or "a patch")
    bodies = ["\n".join(_class(name, sketch, known)) for name, sketch in module.classes]
    body = "\n\n\n".join([*bodies, "\n".join(_variant(module, known))])
    return "\n".join([*_head(module, body, known), "", "", body, ""])


def _head(module: Module, body: str, known: Known) -> Iterator[str]:
    titles = "; ".join(
        dict.fromkeys(_plain(sketch.patch.title) for _, sketch in module.classes if sketch.patch.title)
    )
    yield from textwrap.wrap(f'"""{module.name}: a draft of {titles or module.file}.', _WIDTH)
    yield ""
    told = (
        f"Drafted from {module.file}, whose lines the numbers in comments are. A `todo` is what was not "
        "translated: a test that may come out either way, a statement without effect. Read each text beside "
        "the patch, write what is missing, then delete `draft=` below."
    )
    yield from textwrap.wrap(told, _WIDTH)
    yield '"""'
    yield ""
    yield "from __future__ import annotations"
    yield ""
    yield from _imports(body, module.base, known)


def _imports(body: str, base: Base | None, known: Known) -> list[str]:
    """What the body needs, in the order that ruff has it: standard library, then spfvar."""
    modules: dict[str, set[str]] = {}
    text = re.sub(r"#.*", "", _STRING.sub("", body))  # strings first: they may have a #
    for name in dict.fromkeys(_WORD.findall(text)):
        if name == "o" and re.search(r"\bo\.", text):
            modules.setdefault("spfvar.ops", set()).add("objects as o")
        elif name == "hooks":
            modules.setdefault("spfvar.mm", set()).add("hookspecs as hooks")
        elif name in _TYPES:
            modules.setdefault(_TYPES[name], set()).add(name)
        elif _is_used(name, text) and (source := known.source_of(name)) is not None:
            modules.setdefault(source, set()).add(name)
    if base is not None:
        modules.setdefault(base.module, set()).add(base.imported)
    lines = [
        line
        for module in sorted(modules)
        if not module.startswith("spfvar")
        for line in _import(module, modules)
    ]
    own = [
        line for module in sorted(modules) if module.startswith("spfvar") for line in _import(module, modules)
    ]
    return [*lines, *([""] if lines and own else []), *own, *_base(base)]


def _is_used(name: str, text: str) -> bool:
    """Is a name called or read, and no local variable, parameter, method or keyword?"""
    if name in hookspecs.HOOKS:
        return re.search(rf"yield from {name}\(", text) is not None
    if re.search(rf"(?:def|for|class) {name}\b|(?:^|\s){name}(?:, \w+)? = ", text):
        return False
    return re.search(rf"(?<![.\w]){name}\(", text) is not None or name.isupper()


def _import(module: str, modules: Mapping[str, set[str]]) -> list[str]:
    names = sorted(modules[module], key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _WIDTH:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def _base(base: Base | None) -> list[str]:
    return ["", f"BASE = {base.expression}"] if base is not None else []


# --- the class -----------------------------------------------------------------------------------


def _class(name: str, sketch: Sketch, known: Known) -> Iterator[str]:
    patch = sketch.patch
    position = f"{patch.position[0]}/{patch.position[1]}: " if patch.position is not None else ""
    yield f"class {name}:"
    title = _plain(patch.title) or "a patch without a subject"
    yield from _wrapped(f'"""{position}{title}."""', 1)
    grouped: dict[str, list[Part]] = {}
    for part in sketch.parts:
        grouped.setdefault(part.hook.name, []).append(part)
    if not grouped:
        yield ""
        yield "    # Nothing of the patch is in the model: the stack below is as it was."
    for parts in grouped.values():
        yield ""
        yield from _methods(parts)


def _wrapped(text: str, depth: int) -> list[str]:
    """A docstring on one line, or with the rest of it below."""
    blank = "    " * depth
    if len(blank + text) <= _WIDTH:
        return [blank + text]
    inner = text.removeprefix('"""').removesuffix('"""')
    first, *rest = textwrap.wrap(inner, _WIDTH - len(blank) - 3)
    if not rest and len(blank) + len(inner) + 3 <= _WIDTH:
        return [f'{blank}"""{inner}"""']  # as formatters have it, though the quotes are beyond
    return [
        f'{blank}"""{first}',
        *(f"{blank}{line}" for line in textwrap.wrap(" ".join(rest), _WIDTH - len(blank))),
        f'{blank}"""',
    ]


def _methods(parts: Sequence[Part]) -> Iterator[str]:
    hook = parts[0].hook
    plain = [part for part in parts if part.plain]
    wrappers = [part for part in parts if not part.plain]
    if plain and not wrappers:
        yield "    @hookimpl"
        yield from _signature(f"    def {hook.name}({_parameters(hook)}) -> Steps:")
        yield from _body(plain[0])
        return
    own = f"_{hook.name}_{plain[0].at}" if plain else ""
    if plain:
        yield "    @hookimpl"
        yield from _signature(f"    def {hook.name}({_parameters(hook)}) -> Steps:")
        yield f"        below = self.{own}({_arguments(hook)})"
    else:
        yield "    @hookimpl(wrapper=True)"
        yield from _signature(f"    def {hook.name}({_parameters(hook)}) -> Generator[None, Steps, Steps]:")
        yield "        below = yield"
    given = f"{_arguments(hook)}, below" if hook.parameters else "below"
    for part in reversed(wrappers[1:]):  # the first change of a function is the outermost text
        yield f"        below = self.{_name(part, wrappers)}({given})"
    yield f"        return self.{_name(wrappers[0], wrappers)}({given})"
    if plain:
        yield ""
        yield from _signature(f"    def {own}({_parameters(hook)}) -> Steps:")
        yield from _body(plain[0])
    for part in wrappers:
        yield ""
        yield from _signature(f"    def {_name(part, wrappers)}({_parameters(hook)}, below: Steps) -> Steps:")
        yield from _body(part)


def _signature(line: str) -> list[str]:
    if len(line) <= _WIDTH:
        return [line]
    head, _, rest = line.partition("(")
    inner, _, end = rest.rpartition(") ->")
    return [f"{head}(", f"        {inner}", f"    ) ->{end}"]


def _name(part: Part, parts: Sequence[Part]) -> str:
    return f"_{part.hook.name}" if len(parts) == 1 else f"_{part.hook.name}_{part.at}"


def _parameters(hook: Hook) -> str:
    return ", ".join(["self", *(f"{name}: {kind}" for name, kind in hook.parameters)])


def _arguments(hook: Hook) -> str:
    return ", ".join(name for name, _ in hook.parameters)


def _body(part: Part) -> Iterator[str]:
    nodes = without_idle(part.body())
    lines = list(rendered(nodes, 2))
    text = "\n".join(lines)
    yield from lines
    if not re.search(r"\byield\b", _STRING.sub("", text)):
        if not leaves(nodes):
            yield "        return"
        yield "        yield  # never reached: it makes the method a generator"


# --- the variant ---------------------------------------------------------------------------------


def _variant(module: Module, known: Known) -> Iterator[str]:
    sketches = [sketch for _, sketch in module.classes]
    title = _plain(sketches[0].patch.title) or f"a draft of {module.file}"
    source = next((sketch.patch.message_id for sketch in sketches if sketch.patch.message_id), "not posted")
    classes = ", ".join(name for name, _ in module.classes)
    yield "VARIANTS = ["
    yield "    Variant("
    yield f'        name="{module.name}",'
    yield f'        title="{title[:66].rstrip()}",'
    yield "        kernel=BASE.kernel," if module.base else '        kernel="v5.12",'
    yield f'        source="{_plain(source)}",'
    if module.base:
        yield f"        patches=(*BASE.patches, {classes}),"
        yield "        events=BASE.events,"
        yield "        rivals=(BASE.name,),"
    else:
        yield f"        patches=({classes},),"
    yield f'        draft="{module.file[:60]}",'
    yield "    )"
    yield "]"


def _plain(text: str) -> str:
    """Text that may stand in a string or docstring."""
    plain = "".join(sign for sign in " ".join(text.split()) if sign.isprintable() and sign not in '"\\')
    return plain.strip(" .")
