"""Hostile plugins: what authors get wrong, and what unlucky ones do to the process, each as a small text.

None of them is meant to be used; each has to be named, while the plugin beside it is run.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

HEAD = """\
from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl, hook_point
from spfvar.mm.vmf import VMFault
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Call, loop, again
from spfvar.ops.places import Field, Line, ObjectClass, Place, Register
from spfvar.ops.primitives import *
from spfvar.plugins.series import Series, SeriesPatch
from spfvar.plugins.variant import Event, Twin, Variant
"""
GOOD = "from spfvar.plugins.variant import Variant\nVARIANTS = [Variant('good', 'title', 'v5.12', 'here')]\n"

#: What stands for a value of the wrong type.
WRONG_VALUES = {
    "None": "None", "list": "['hostile']", "number": "3", "dict": "{'a': 1}", "object": "object()", "bytes": "b'x'",
    "class": "int", "nan": "float('nan')", "lambda": "lambda: 'x'", "set": "{'a'}",
}  # fmt: skip
#: Fields, and the values above that are wrong for them.
FIELDS = {
    "name": ["None", "list", "number", "object", "bytes", "class"],
    "title": ["None", "list", "number", "lambda"],
    "kernel": ["None", "number", "nan"],
    "source": ["None", "dict", "bytes"],
    "patches": ["None", "number", "dict", "object", "class", "set"],
    "events": ["None", "number", "dict", "class", "set"],
    "rivals": ["None", "number", "dict", "class"],
    "compared": ["None", "list", "number"],
    "description": ["None", "number", "list"],
}


def _variant(**fields: str) -> str:
    given = {"name": "'hostile'", "title": "'t'", "kernel": "'v5.12'", "source": "'s'", **fields}
    return f"Variant({', '.join(f'{name}={value}' for name, value in given.items())})"


def _fields() -> dict[str, str]:
    """A variant with one field of the wrong type each."""
    return {
        f"field {field} is {kind}": f"VARIANTS = [{_variant(**{field: WRONG_VALUES[kind]})}]"
        for field, kinds in FIELDS.items() for kind in kinds
    }  # fmt: skip


def _more_fields() -> dict[str, str]:
    """Fields whose type is right, and whose value is not; and those of the other declarations."""
    patch = "class P:\n    @hookimpl\n    def do_fault(self, vmf):\n        return 0\n        yield\n"
    odd = {
        "an empty name": _variant(name="''"),
        "a name with a space": _variant(name="'ho stile'"),
        "a name with a newline": _variant(name="'hostile\\n'"),
        "a name that is an option": _variant(name="'--help'"),
        "a name that is very long": _variant(name="'h' * 100000"),
        "a title with an escape sequence": _variant(title="'\\x1b[2J'"),
        "a title with a bell": _variant(title="'\\a'"),
        "a title with a lone surrogate": _variant(title="'\\ud800'"),
        "a title of a megabyte": _variant(title="'t' * 10**6"),
        "a source with a tab": _variant(source="'a\\tb'"),
        "an instance as a patch": _variant(patches="(P(),)"),
        "a patch that is no tuple": _variant(patches="P"),
        "a patch twice": _variant(patches="(P, P)"),
        "a name of a patch": _variant(patches="('P',)"),
        "an endless iterator of patches": _variant(patches="__import__('itertools').repeat(P)"),
        "an event that is a class": _variant(events="(Event,)"),
        "an event that is a string": _variant(events="('a',)"),
        "an event of no role": _variant(events="(Event('a', 'because', 'd'),)"),
        "an event twice": _variant(events="(Event('a', 'reason', 'd'), Event('a', 'reason', 'd'))"),
        "an event without a name": _variant(events="(Event('', 'reason', 'd'),)"),
        "a rival that is a number": _variant(rivals="(1,)"),
        "a rival that is a string": _variant(rivals="'good'"),
        "a field that is none": _variant(colour="'red'"),
        "a field too few": "Variant('hostile')",
        "a twin of None": "Twin('T', None, 's', 'mmap-lock', 'munmap-anon', 'P4')",
        "a series whose patch is no SeriesPatch": "Series('hostile', 't', 'k', 's', (P,))",
        "a series that counts from 0": "Series('hostile', 't', 'k', 's', (SeriesPatch(0, 't', 's'),))",
        "a series patch with a string for a number": "SeriesPatch('1', 't', 's')",
    }
    return {name: f"{patch}VARIANTS = [{value}]" for name, value in odd.items()}


_LISTS = {
    "VARIANTS raises on iteration": """
        class L(list):
            def __iter__(self): raise RuntimeError("no")
        VARIANTS = L([1])
        """,
    "VARIANTS never ends": "import itertools; VARIANTS = itertools.repeat(Variant('hostile', 't', 'k', 's'))",
    "VARIANTS hangs": """
        class L(list):
            def __iter__(self):
                while True: pass
        VARIANTS = L()
        """,
    "VARIANTS is a generator": "VARIANTS = (v for v in [Variant('hostile', 't', 'k', 's')])",
    "VARIANTS is an array": "import numpy; VARIANTS = numpy.array([1, 2])",
    "VARIANTS is a frame": "import pandas; VARIANTS = pandas.DataFrame({'a': [1]})",
    "VARIANTS has ten thousand": "VARIANTS = [Variant(f'hostile-{i}', 't', 'k', 's') for i in range(10000)]",
    "VARIANTS is None": "VARIANTS = None",
    "VARIANTS is a string": "VARIANTS = 'hostile'",
    "VARIANTS is a dict": "VARIANTS = {'hostile': Variant('hostile', 't', 'k', 's')}",
    "VARIANTS is a number": "VARIANTS = 3",
    "VARIANTS is one variant": "VARIANTS = Variant('hostile', 't', 'k', 's')",
    "VARIANTS has the class": "VARIANTS = [Variant]",
    "VARIANTS is empty": "VARIANTS = []",
    "VARIANTS holds itself": "VARIANTS = []; VARIANTS.append(VARIANTS)",
    "VARIANTS holds what cannot be shown": """
        class X:
            def __repr__(self): raise RuntimeError("no")
        VARIANTS = [X()]
        """,
    "VARIANTS holds a liar": """
        class X:
            __class__ = Variant
        VARIANTS = [X()]
        """,
    "VARIANTS holds a subclass that raises": """
        class X(Variant):
            def __getattribute__(self, name): raise RuntimeError(name)
        VARIANTS = [object.__new__(X)]
        """,
    "TWINS is None and no VARIANTS": "TWINS = None",
    "TWINS holds a variant": "TWINS = [Variant('hostile', 't', 'k', 's')]",
    "TWINS is a function": "def TWINS(): return []",
    "SERIES is a set": "SERIES = {1, 2}",
    "a name twice": "VARIANTS = [Variant('hostile', 't', 'k', 's'), Variant('hostile', 'u', 'k', 's')]",
    "a module __getattr__ that raises": "def __getattr__(name): raise RuntimeError(name)",
    "a module __getattr__ that hangs": "def __getattr__(name):\n    while True: pass",
}

_IMPORT = {
    "a syntax error": "def (",
    "a tab and spaces": "if True:\n\tx = 1\n        y = 2",
    "a null byte": "x = '\0'",
    "raises": "raise ValueError('a\\nb')",
    "raises what cannot be shown": "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E",
    "exits": "import sys; sys.exit(0)",
    "exits hard": "import os; os._exit(0)",
    "aborts": "import os; os.abort()",
    "kills itself": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "kills its group": "import os, signal; os.killpg(os.getpgrp(), signal.SIGTERM)",
    "a segmentation fault": "import ctypes; ctypes.string_at(0)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "BaseException": "raise BaseException('x')",
    "MemoryError": "raise MemoryError",
    "hangs": "while True: pass",
    "sleeps": "import time; time.sleep(1000)",
    "hangs in C": "sum(iter(int, 1))",
    "hangs in C with signals blocked": "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\nwhile True: pass",
    "swallows what stops it": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "allocates without end": "x = []\nwhile True: x.append(bytearray(10**7))",
    "allocates at once": "x = bytearray(5 * 10**9)",
    "recurses": "def f(): f()\nf()",
    "waits for input": "input()",
    "a missing module": "import there_is_no_such_module",
    "a missing name": "from spfvar.ops.primitives import spin_lok",
    "closes stdout": "import sys; sys.stdout.close()",
    "closes stderr": "import sys; sys.stderr.close()",
    "closes all files": "import os; os.closerange(0, 100)",
    "replaces stdout": "import io, sys; sys.stdout = io.StringIO()",
    "replaces stderr by None": "import sys; sys.stderr = None",
    "replaces excepthook": "import sys; sys.excepthook = lambda *a: None",
    "replaces a signal handler": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "changes directory": "import os; os.chdir('/')",
    "clears the environment": "import os; os.environ.clear()",
    "sets an environment variable": "import os; os.environ['NUMBA_DISABLE_JIT'] = '1'",
    "sets the recursion limit": "import sys; sys.setrecursionlimit(10**6)",
    "traces": "import sys; sys.settrace(lambda *a: None)",
    "replaces a builtin": "import builtins; builtins.print = None",
    "empties the hook points": "hooks.HOOKS.clear()",
    "replaces a hook point": "hooks.HOOKS['do_fault'] = lambda vmf: None",
    "declares a hook point twice": "@hook_point\ndef do_fault(vmf): 'x'",
    "leaves a thread": "import threading, time; threading.Thread(target=time.sleep, args=(1000,)).start()",
    "forks for ever": "import os, time\nif not os.fork(): time.sleep(1000)\nraise ValueError",
    "is empty": "",
    "a relative import of nothing": "from . import nothing_there",
    "is no text": "\udcff",
}

_PATCH = """
class P:
{body}
VARIANTS = [Variant('hostile', 't', 'v5.12', 's', (P,))]
"""
_PATCHES = {
    "no hook point": "    @hookimpl\n    def do_falt(self, vmf):\n        yield",
    "no mark": "    def do_fault(self, vmf):\n        yield",
    "nothing": "    pass",
    "another argument": "    @hookimpl\n    def do_fault(self, fault):\n        yield",
    "a constructor with arguments": "    def __init__(self, x): pass\n    @hookimpl\n    def do_fault(self, vmf):\n        yield",
    "a constructor that exits": "    def __init__(self): raise SystemExit\n    @hookimpl\n    def do_fault(self, vmf):\n        yield",
    "a constructor that hangs": "    def __init__(self):\n        while True: pass\n    @hookimpl\n    def do_fault(self, vmf):\n        yield",
    "a property that raises": "    @property\n    def p(self): raise RuntimeError('no')\n    @hookimpl\n    def do_fault(self, vmf):\n        yield",
    "falls through": "    @hookimpl\n    def do_fault(self, vmf):\n        pass",
    "returns a number": "    @hookimpl\n    def do_fault(self, vmf):\n        return 0",
    "is async": "    @hookimpl\n    async def do_fault(self, vmf):\n        pass",
    "a wrapper in pluggy's style": "    @hookimpl(wrapper=True)\n    def do_fault(self, vmf):\n        outcome = yield\n        return outcome.get_result()",
    "an old wrapper": "    @hookimpl(hookwrapper=True)\n    def do_fault(self, vmf):\n        yield",
    "a wrapper that forgets": "    @hookimpl(wrapper=True)\n    def do_fault(self, vmf):\n        below = yield",
    "a wrapper that yields first": "    @hookimpl(wrapper=True)\n    def do_fault(self, vmf):\n        below = yield rcu_read_lock()\n        return below",
    "a wrapper that yields behind": "    @hookimpl(wrapper=True)\n    def do_fault(self, vmf):\n        below = yield\n        yield rcu_read_lock()\n        return below",
    "a wrapper that raises": "    @hookimpl(wrapper=True)\n    def do_fault(self, vmf):\n        below = yield\n        raise RuntimeError('no')",
    "a wrapper without yield": "    @hookimpl(wrapper=True)\n    def do_fault(self, vmf):\n        return 0",
}

_TEXT = """
class P:
    @hookimpl
    def {hook}(self, {args}):
{body}
VARIANTS = [Variant('hostile', 't', 'v5.12', 's', (P,))]
"""
_BODIES = {
    "if without yield": "if find_vma():\n    yield work('local')",
    "not without yield": "x = not find_vma()\nyield work('local')",
    "== without yield": "x = find_vma() == True\nyield work('local')",
    "== a word without yield": "pte = Op(5, 'x', (1, 2))\nif pte == 'none':\n    yield work('local')",
    "if a call without yield from": "ret = hooks.pte_map_lock(vmf)\nif ret:\n    yield work('local')",
    "a statement without yield": "spin_lock(at(o.mm, o.PAGE_TABLE_LOCK))\nyield work('local')",
    "a call without yield from": "hooks.pte_map_lock(vmf)\nyield work('local')",
    "a generator without yield from": "def helper(): yield\nyield helper()",
    "yield from a primitive": "yield from find_vma()",
    "yields a number": "yield 3",
    "yields None": "yield",
    "yields itself": "yield self",
    "yields what cannot be shown": "class X:\n    def __repr__(self): raise RuntimeError\nyield X()",
    "raises": "yield work('local')\nraise ValueError('no')",
    "raises BaseException": "yield work('local')\nraise BaseException('no')",
    "raises GeneratorExit": "yield work('local')\nraise GeneratorExit",
    "raises SystemExit": "yield work('local')\nraise SystemExit(0)",
    "raises KeyboardInterrupt": "yield work('local')\nraise KeyboardInterrupt",
    "raises StopIteration": "yield work('local')\nraise StopIteration(3)",
    "raises what cannot be shown": "class E(Exception):\n    def __str__(self): raise RuntimeError\nyield work('local')\nraise E",
    "raises in finally": "try:\n    yield choose('x', 1, 2)\nfinally:\n    raise ValueError",
    "yields in finally": "yield loop('l')\ntry:\n    yield again('l')\nfinally:\n    yield work('local')",
    "catches GeneratorExit": "while True:\n    try:\n        yield choose('x', 1, 2)\n    except GeneratorExit: pass",
    "hangs": "while True: pass\nyield",
    "hangs in C": "sum(iter(int, 1))\nyield",
    "never ends": "while True: yield work('local')",
    "a loop without again": "while True:\n    yield choose('x', 1, 2)",
    "an empty loop": "yield loop('l')\nyield again('l')",
    "again without loop": "yield again('l')",
    "calls itself": "return (yield from hooks.{hook}({args}))",
    "recurses": "def f(): f()\nf()\nyield",
    "allocates without end": "x = []\nwhile True: x.append(bytearray(10**7))\nyield",
    "exits hard": "import os; os._exit(1)\nyield",
    "closes stdout": "import sys; sys.stdout.close()\nreturn VMFault.NONE\nyield",
    "replaces excepthook": "import sys; sys.excepthook = None\nreturn VMFault.NONE\nyield",
    "starts a thread": "import threading, time; threading.Thread(target=time.sleep, args=(1000,)).start()\nyield work('local')",
    "another each time": "import random\nyield work(f'x{random.random()}')\nyield choose('x', 1, 2)",
    "a longer one each time": "P.n = getattr(P, 'n', 0) + 1\nfor i in range(P.n): yield work('local')\nyield choose('x', 1, 2)",
    "too many outcomes": "yield choose('x', 1, 2, 3, 4, 5)",
    "no outcomes": "yield choose('x')",
    "an outcome that is not hashable": "yield choose('x', [], 1)",
    "returns what is not hashable": "return []\nyield",
    "returns what does not want to be hashed": "class X:\n    def __hash__(self): raise RuntimeError\nreturn X()\nyield",
    "an argument that is not hashable": "return (yield from hooks.do_anonymous_page([]))",
    "an argument too many": "return (yield from hooks.do_anonymous_page(vmf, vmf))",
    "a field of another class": "yield equals(at(o.mm, o.VM_START), 1)",
    "a lock of another class": "yield down_read(at(o.vma, o.MMAP_LOCK))",
    "a word as a lock": "yield down_read(at(o.mm, o.MM_USERS))",
    "a rwsem as a spinlock": "yield spin_lock(at(o.mm, o.MMAP_LOCK))",
    "a register as a place": "yield spin_lock(o.mm)",
    "a string as a place": "yield spin_lock('mmap_lock')",
    "a number as a VMA": "yield find_vma(o.address)",
    "a class of its own": "c = ObjectClass('mine')\nyield equals(Place(Register('r', c), Field(c, 'f')), 1)",
    "a register of a taken name": "yield set_register(Register('vma'), 1)",
    "a field of a taken name": "yield equals(at(o.mm, Field(o.MM, 'mmap_lock')), 1)",
    "a number too large": "yield set_register(o.scratch, 1 << 40)",
    "a number that is none": "yield set_register(o.scratch, 'x')",
    "an opcode that is none": "yield Op(999, 'x')",
    "an unknown cache line mode": "yield Op(0, 'x', line=Line(o.mm, 'main', 'write'))",
    "modifies what it is given": "vmf.write = True\nyield",
}  # fmt: skip
#: Texts that no sample of faults and writers reaches: they are met when the race is extracted.
_LATE = (
    "raises",
    "raises BaseException",
    "hangs",
    "allocates without end",
    "if without yield",
    "yields a number",
)


def _texts() -> dict[str, str]:
    def text(name: str, hook: str, args: str) -> str:
        body = _BODIES[name].replace("{hook}", hook).replace("{args}", args)
        return _TEXT.format(
            hook=hook, args=args, body="\n".join(f"        {line}" for line in body.splitlines())
        )

    found = {f"text: {name}": text(name, "do_anonymous_page", "vmf") for name in _BODIES}
    return found | {f"late text: {name}": text(name, "do_swap_page", "vmf") for name in _LATE}


def plugins() -> dict[str, str]:
    """Every hostile plugin by what it does."""
    found = {**_fields(), **_more_fields()}
    found |= {name: dedent(text) for name, text in _LISTS.items()}
    found |= {f"import: {name}": text for name, text in _IMPORT.items()}
    found |= {f"patch: {name}": _PATCH.format(body=body) for name, body in _PATCHES.items()}
    found |= _texts()
    return found


def write(folder: Path, text: str) -> tuple[str, str]:
    """The hostile plugin and a good one as files; returns their paths."""
    hostile, good = folder / "hostile.py", folder / "good.py"
    hostile.write_bytes((HEAD + text + "\n").encode("utf-8", "surrogateescape"))
    good.write_text(GOOD)
    return str(hostile), str(good)
