"""A place in a list of tokens, and the errors that say what was expected there."""

from __future__ import annotations

from typing import Final

from spfvar.errors import InputError
from spfvar.litmus.tokens import Kind, Token


class UnsupportedTest(InputError):  # noqa: N818 - a verdict as much as an error
    """A litmus test, as far as it was read, that uses what spfvar has no meaning for; `why` says what."""

    def __init__(self, why: str, *, file: str | None = None, line: int | None = None) -> None:
        super().__init__(f"not supported: {why}", file=file, line=line)
        self.why = why


class Cursor:
    """Reads tokens one by one; `file` is named in errors, `names` are all names of the whole text."""

    def __init__(self, tokens: list[Token], file: str | None) -> None:
        self._tokens = tokens
        self._place = 0
        self.file = file
        self.names: Final = frozenset(token.text for token in tokens if token.kind == "name")

    @property
    def token(self) -> Token:
        """The next token, not yet taken."""
        return self._tokens[self._place]

    def ahead(self, count: int) -> Token:
        """The token `count` after the next one; the end where there is none."""
        return self._tokens[min(self._place + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        """The next token; the end is never passed."""
        token = self.token
        if token.kind != "end":
            self._place += 1
        return token

    def at(self, *texts: str) -> bool:
        """Whether the next token is one of these marks or names."""
        return self.token.text in texts and self.token.kind in ("mark", "name")

    def accept(self, *texts: str) -> Token | None:
        """Take the next token if it is one of these."""
        return self.take() if self.at(*texts) else None

    def expect(self, text: str, why: str | None = None) -> Token:
        """Take the token `text`; InputError if it is another one."""
        if not self.at(text):
            raise self.error(why or f'"{text}"')
        return self.take()

    def expect_kind(self, kind: Kind, expected: str) -> Token:
        """Take a token of this kind; InputError if it is of another."""
        if self.token.kind != kind:
            raise self.error(expected)
        return self.take()

    def error(self, expected: str, found: Token | None = None) -> InputError:
        """The error (not raised) that at `found`, or the next token, something else was expected."""
        token = found or self.token
        return InputError(f"found {token}", file=self.file, line=token.line, expected=expected)

    def wrong(self, message: str, token: Token, expected: str | None = None) -> InputError:
        """The error (not raised) that `token` is wrong for another reason."""
        return InputError(message, file=self.file, line=token.line, expected=expected)

    def unsupported(self, why: str, token: Token | None = None) -> UnsupportedTest:
        """The error (not raised) that the test needs what there is no meaning for."""
        return UnsupportedTest(why, file=self.file, line=(token or self.token).line)
