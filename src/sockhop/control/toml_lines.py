"""The line of everything in a TOML file, which ``tomllib`` does not tell. Source: toml.io/en/v1.0.0."""

import re
import tomllib
from bisect import bisect

# From the top: names of tables and keys, and indices in arrays.
Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_SCALAR = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'  # its last two may be quotes too
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'"
    r"|[^,\]}#\n]+",
    re.DOTALL,
)


def lines_of(text: str) -> dict[Path, int]:
    """Return the line of each table, key and element of an array.

    :param text: what ``tomllib`` has parsed without an error: nothing is checked here.
    """
    return _Scan(text).lines


class _Scan:
    """One walk through a text, by the grammar's shape alone."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [end.start() for end in re.finditer("\n", text)]
        self._elements: dict[Path, int] = {}  # how many [[headers]] of an array of tables there were
        self.lines: dict[Path, int] = {(): 1}
        table: Path = ()
        while self._skip_blank() < len(text):
            if text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _skip_blank(self) -> int:
        self._at = self._end(_BLANK)
        return self._at

    def _end(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        return match.end() if match else len(self._text)

    def _comes(self, mark: str) -> bool:
        """Go past a mark if it is what comes next."""
        self._skip_blank()
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def _line(self) -> int:
        return bisect(self._ends, self._at - 1) + 1

    def _keys(self) -> list[str]:
        keys = []
        while True:
            start = self._skip_blank()
            self._at = self._end(_KEY)
            key = self._text[start : self._at]
            keys.append(tomllib.loads(f"key = {key}")["key"] if key[0] in "\"'" else key)
            if not self._comes("."):
                return keys

    def _header(self) -> Path:
        line = self._line()
        is_element = self._text.startswith("[[", self._at)
        self._at += 2 if is_element else 1
        *above, last = self._keys()
        self._at += 2 if is_element else 1
        path: Path = ()
        for key in above:
            path = self._current((*path, key), line)
        path = (*path, last)
        if is_element:
            self.lines.setdefault(path, line)
            number = self._elements[path] = self._elements.get(path, -1) + 1
            path = (*path, number)
        self.lines[path] = line
        return path

    def _current(self, path: Path, line: int) -> Path:
        """Return what a key in the middle of a header means: of an array of tables, the last one."""
        self.lines.setdefault(path, line)
        return (*path, self._elements[path]) if path in self._elements else path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._comes("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._comes("["):
            number = 0
            while not self._comes("]"):
                self.lines[*path, number] = self._line()
                self._value((*path, number))
                self._comes(",")
                number += 1
        elif self._comes("{"):
            while not self._comes("}"):
                self._pair(path)
                self._comes(",")
        else:
            self._skip_blank()
            self._at = self._end(_SCALAR)
