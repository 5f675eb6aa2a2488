"""Texts that were changed in a few places, by somebody who means harm or had bad luck."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

#: Values that have a way of going wrong wherever a number or a text is expected.
VALUES: tuple[str, ...] = (
    "0", "-1", "1", "2", "0.5", "-0.0", "1e308", "1e-320", "-1e308", "inf", "-inf", "nan", "NaN", "Infinity",
    "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1" + "0" * 400, "true", "false", "null",
    '""', '"x"', "[]", "{}", "[[]]", '"$threads"', '"$nothing"', '"0ns"', '"86400s"', '"1e9s"', '"4KiB"', '"128TiB"',
    '"\\u001b[31m"', '"\\u202e"', '"\\u0000"', "1979-05-27", "'", '"', "]", "}", "=", ",", "\\", "\0", "\x1b[2J",
    "\u202e", "\ufeff", "\udcff", "é", "%n", "{0}", "../../etc/passwd", "a" * 5000,
)  # fmt: skip


#: What a number is replaced by half of the time, for the text then stays one that can be read.
NUMBERS = (
    "0",
    "-1",
    "1",
    "2",
    "0.5",
    "-0.5",
    "1e308",
    "-1e308",
    "1e-320",
    "1e19",
    "-3",
    "7",
    "100000",
    "nan",
    "inf",
)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _words(text: str) -> list[tuple[int, int]]:
    """Where words, numbers and strings stand."""
    found, begin = [], None
    for i, char in enumerate([*text, " "]):
        if char.isalnum() or char in "_.+-$":
            begin = i if begin is None else begin
        elif begin is not None:
            found.append((begin, i))
            begin = None
    return found


@st.composite
def changed(draw: st.DrawFn, text: str, values: Sequence[str] = VALUES) -> str:
    """The text with one to four changes: a word for another, a line gone, twice or elsewhere, a cut, a splice."""
    for _ in range(draw(st.sampled_from([1, 1, 1, 1, 2, 4]))):
        how = draw(st.sampled_from(["word"] * 6 + ["swap", "gone", "twice", "move", "cut", "splice"]))
        words, lines = _words(text), text.split("\n")
        at = draw(st.integers(0, max(0, len(lines) - 1)))
        if how in ("word", "swap") and words:
            begin, end = draw(st.sampled_from(words))
            other = text[slice(*draw(st.sampled_from(words)))]
            if how == "word":
                likely = NUMBERS if _is_number(text[begin:end]) and draw(st.booleans()) else values
                other = draw(st.sampled_from(likely))
            text = text[:begin] + other + text[end:]
        elif how == "gone":
            text = "\n".join(lines[:at] + lines[at + 1 :])
        elif how == "twice":
            text = "\n".join(lines[: at + 1] + lines[at:])
        elif how == "move":
            line = lines.pop(at)
            lines.insert(draw(st.integers(0, len(lines))), line)
            text = "\n".join(lines)
        elif how == "cut":
            text = text[: draw(st.integers(0, len(text)))]
        elif how == "splice":
            place = draw(st.integers(0, len(text)))
            text = text[:place] + draw(st.sampled_from(values) | st.text(max_size=5)) + text[place:]
    return text


def data(text: str) -> bytes:
    """A text as the bytes of a file; half a character stays half of one."""
    return text.encode("utf-8", "surrogatepass")
