"""Whether every tag that one glob fits is fitted by another, too: exact, by walking both as automata side by side."""

from collections.abc import Callable
from fnmatch import translate
from functools import lru_cache
from re import compile as compiled

STATES_MAX = 2_000
CODE_POINT_MAX = 0x10FFFF

_Token = Callable[[str], object] | None  # What fits one character; None is `*`.
_States = frozenset[int]


def glob_covers(wide: str, narrow: str) -> bool:
    """Return whether each text that fits the glob ``narrow`` fits ``wide``; False also where that takes too long to find out."""
    wide_tokens, narrow_tokens = _tokens(wide), _tokens(narrow)
    start = (_closed(wide_tokens, {0}), _closed(narrow_tokens, {0}))
    seen, waiting, letters = {start}, [start], _letters(wide + narrow)
    while waiting:
        in_wide, in_narrow = waiting.pop()
        if len(narrow_tokens) in in_narrow and len(wide_tokens) not in in_wide:
            return False
        for letter in letters:
            after = (_step(wide_tokens, in_wide, letter), _step(narrow_tokens, in_narrow, letter))
            if after[1] and after not in seen:
                seen.add(after)
                waiting.append(after)
        if len(seen) > STATES_MAX:
            return False
    return True


def has_wildcard(glob: str) -> bool:
    """Return whether a glob may fit any other text than itself."""
    return any(character in glob for character in "*?[")


def fitting_text(glob: str) -> str:
    """Return a text that a glob fits; where a set of characters fits nothing, one that it does not."""
    letters = _letters(glob)
    return "".join(next(filter(token, letters), "") for token in _tokens(glob) if token)


def _letters(text: str) -> list[str]:
    """Return a character of each class that globs with these characters can tell apart."""
    edges = {0} | {ord(character) + more for character in text for more in (0, 1)}
    return [chr(edge) for edge in sorted(edges) if edge <= CODE_POINT_MAX]


@lru_cache(maxsize=4096)
def _tokens(glob: str) -> tuple[_Token, ...]:
    found: list[_Token] = []
    at = 0
    while at < len(glob):
        end = _end(glob, at)
        found.append(None if glob[at] == "*" else compiled(translate(glob[at:end])).fullmatch)
        at = end
    return tuple(found)


def _end(glob: str, at: int) -> int:
    """Return where the token that begins at a place ends: a set ends at its bracket, as in fnmatch."""
    if glob[at] != "[":
        return at + 1
    first = at + 1
    first += glob[first : first + 1] == "!"
    closing = glob.find("]", first + 1)
    return closing + 1 if closing >= 0 else at + 1


def _step(tokens: tuple[_Token, ...], states: _States, letter: str) -> _States:
    after = set()
    for state in states:
        if state < len(tokens):
            token = tokens[state]
            if token is None:
                after.add(state)
            elif token(letter):
                after.add(state + 1)
    return _closed(tokens, after)


def _closed(tokens: tuple[_Token, ...], states: set[int]) -> _States:
    """Return the states with those that a ``*`` reaches by fitting nothing."""
    found, waiting = set(states), list(states)
    while waiting:
        state = waiting.pop()
        if state < len(tokens) and tokens[state] is None and state + 1 not in found:
            found.add(state + 1)
            waiting.append(state + 1)
    return frozenset(found)
