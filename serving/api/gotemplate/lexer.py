"""The words of a template: texts, and what stands between braces (text/template/parse). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hearth.kube.gotext import quote

TEXT, LEFT, RIGHT, SPACE, END = "text", "left", "right", "space", "end"
ERROR = "error"
"""A token whose text is the complaint."""
KEYWORDS = frozenset(
    {"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"}
)
_SPACES = " \t\r\n"
_ENDS = re.compile(r"[ \t\r\n.,|:()]|( -)?}}|\Z")
"""What may stand behind a name."""
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<declare>:=)|(?P<assign>=)|(?P<pipe>\|)"""
    r"""|(?P<open>\()|(?P<close>\))"""
    r"""|(?P<string>"(?:[^"\\\n]|\\[^\n])*")|(?P<raw>`[^`]*`)|(?P<char>'(?:[^'\\\n]|\\[^\n])*')"""
    r"""|(?P<variable>\$\w*)|(?P<field>\.[^\W\d]\w*)"""
    r"""|(?P<number>[+-]?(?:\d|\.\d)[\w.]*(?:(?<=[eEpP])[+-]\w+)?)"""
    r"""|(?P<dot>\.)|(?P<word>\w+)""",
)
_NAMES = ("variable", "field", "word")
_OPEN_ENDED = {
    '"': "unterminated quoted string",
    "`": "unterminated raw quoted string",
    "'": "unterminated character constant",
    ":": "expected :=",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One word, with its place in the text."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        if self.kind == END:
            return "EOF"
        if self.kind in ("keyword", "dot") or self.text == "nil":
            return f"<{self.text}>"
        return f"{quote(self.text[:10])}..." if len(self.text) > 10 else quote(self.text)


def tokens(text: str) -> Iterator[Token]:
    """Return the words; an ERROR ends them."""
    at = 0
    while (start := text.find("{{", at)) >= 0:
        inner = start + 2
        trims = text.startswith("-", inner) and text[inner + 1 : inner + 2] in tuple(_SPACES)
        before = text[at:start].rstrip(_SPACES) if trims else text[at:start]
        yield Token(TEXT, before, at)
        inner += 2 if trims else 0
        if text.startswith("/*", inner):
            problem, at = _comment_end(text, inner)
            if problem:
                yield Token(ERROR, problem, inner)
                return
            continue
        yield Token(LEFT, "{{", start)
        at = inner
        for token in _inside(text, inner):
            yield token
            at = token.at + len(token.text)
            if token.kind == ERROR:
                return
        at = _after(text, at)
    yield Token(TEXT, text[at:], at)
    yield Token(END, "", len(text))


def _after(text: str, closed: int) -> int:
    """Return where the text goes on behind braces; ``-}}`` takes the spaces along."""
    if not text.startswith("-}}", closed - 3) or text[closed - 4 : closed - 3] not in tuple(
        _SPACES
    ):
        return closed
    while closed < len(text) and text[closed] in _SPACES:
        closed += 1
    return closed


def _comment_end(text: str, start: int) -> tuple[str, int]:
    end = text.find("*/", start)
    if end < 0:
        return "unclosed comment", start
    end += 2
    if match := re.compile(r"[ \t\r\n]-}}").match(text, end):
        return "", _after(text, match.end())
    if text.startswith("}}", end):
        return "", end + 2
    return "comment ends before closing delimiter", start


def _inside(text: str, at: int) -> Iterator[Token]:
    depth = 0
    while True:
        if match := re.compile(r"[ \t\r\n]-}}|}}").match(text, at):
            kind = ERROR if depth else RIGHT
            yield Token(kind, "unclosed left paren" if depth else match[0], at)
            return
        token = _token(text, at)
        depth += {"open": 1, "close": -1}.get(token.kind, 0)
        if depth < 0:
            token = Token(ERROR, "unexpected right paren", at)
        yield token
        if token.kind == ERROR:
            return
        at += len(token.text)


def _token(text: str, at: int) -> Token:
    match = _TOKEN.match(text, at)
    if match is None:
        return _strange(text, at)
    kind, word = str(match.lastgroup), match[0]
    if kind == "space" and text.startswith("-}}", at + len(word)):
        # The last of the spaces is part of the braces.
        word = word[:-1]
    if kind in _NAMES and not _ENDS.match(text, match.end()):
        letter = text[match.end()]
        return Token(ERROR, f"bad character U+{ord(letter):04X} '{letter}'", match.end())
    if kind == "word" and word in KEYWORDS:
        kind = "keyword"
    return Token(kind, word, at)


def _strange(text: str, at: int) -> Token:
    if at >= len(text):
        return Token(ERROR, "unclosed action", at)
    letter = text[at]
    if letter in _OPEN_ENDED:
        return Token(ERROR, _OPEN_ENDED[letter], at)
    if letter.isascii() and letter.isprintable():
        return Token("mark", letter, at)
    return Token(ERROR, f"unrecognized character in action: U+{ord(letter):04X} '{letter}'", at)
