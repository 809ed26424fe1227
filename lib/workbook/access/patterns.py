"""IAM's wildcard patterns: whether one matches a text, and which combinations of several can match one text at all.

A request's ARN or condition value ranges over all texts. What a policy can tell apart is finite: for patterns p1 … pn,
the vectors (p1 matches, …, pn matches) that some text produces. `combinations` finds all of them, with the shortest
text for each, by walking the product of the patterns' automata. No string solver is needed.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

STAR, ONE = "*", "?"
MOST_STATES = 40_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


@dataclass(frozen=True)
class Token:
    """One character (`kind` empty: `text`), or a wildcard for any but the characters in `text`."""

    kind: str
    text: str


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern; `fold` ignores case."""

    tokens: tuple[Token, ...]
    fold: bool = False

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.tokens, self.fold))

    @cached_property
    def head(self) -> str:
        """The text before the first wildcard."""
        return "".join(token.text for token in itertools.takewhile(lambda token: not token.kind, self.tokens))

    def may_meet(self, other: Pattern) -> bool:
        """False only if no text can match both, which the texts before the first wildcards tell."""
        if self.fold or other.fold:
            return True
        return self.head.startswith(other.head) or other.head.startswith(self.head)

    @cached_property
    def _stars(self) -> int:
        return sum(1 << position for position, token in enumerate(self.tokens) if token.kind == STAR)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        def part(token: Token) -> str:
            if not token.kind:
                return re.escape(token.text)
            any_char = f"[^{re.escape(token.text)}]" if token.text else "."
            return any_char + ("*" if token.kind == STAR else "")

        flags = re.DOTALL | (re.IGNORECASE if self.fold else 0)
        return re.compile("".join(map(part, self.tokens)), flags)

    def matches(self, text: str) -> bool:
        return self._regex.fullmatch(text) is not None

    # ── as an automaton: a set of positions is a bit mask ──

    def start(self) -> int:
        return self._closed(1)

    def accepts(self, mask: int) -> bool:
        return bool(mask >> len(self.tokens) & 1)

    def step(self, mask: int, char: str) -> int:
        after = 0
        for position, token in self._active(mask):
            if not token.kind:
                if token.text == char or (self.fold and token.text.lower() == char.lower()):
                    after |= 1 << (position + 1)
            elif char not in token.text:
                after |= 1 << (position if token.kind == STAR else position + 1)
        return self._closed(after)

    def telling(self, mask: int) -> set[str]:
        """The characters that this pattern treats unlike any other at these positions."""
        found: set[str] = set()
        for _, token in self._active(mask):
            found.update(token.text)
            if self.fold:
                found.update(token.text.lower(), token.text.upper())
        return found

    def _active(self, mask: int) -> Iterator[tuple[int, Token]]:
        mask &= (1 << len(self.tokens)) - 1
        while mask:
            low = mask & -mask
            position = low.bit_length() - 1
            yield position, self.tokens[position]
            mask ^= low

    def _closed(self, mask: int) -> int:
        """With the positions after the stars, which may stand for nothing."""
        while (more := mask | (mask & self._stars) << 1) != mask:
            mask = more
        return mask


ANYTHING = Pattern((Token(STAR, ""),))


@lru_cache(maxsize=20_000)
def glob(text: str, fold: bool = False) -> Pattern:
    """A pattern with * and ?."""
    return Pattern(tuple(Token(c, "") if c in (STAR, ONE) else Token("", c) for c in text), fold)


@lru_cache(maxsize=20_000)
def literal(text: str, fold: bool = False) -> Pattern:
    """A text that means itself, wildcards included."""
    return Pattern(tuple(Token("", c) for c in text), fold)


def joined(parts: tuple[tuple[str, bool], ...], fold: bool = False, arn: bool = False) -> Pattern:
    """A pattern from parts (text, whether its * and ? are wildcards). In an ARN a wildcard stays within its segment,
    except in the last one.
    """
    tokens: list[Token] = []
    colons = 0
    for text, wild in parts:
        for char in text:
            if wild and char in (STAR, ONE):
                tokens.append(Token(char, ":" if arn and colons < 5 else ""))
            else:
                tokens.append(Token("", char))
                colons += char == ":"
    return Pattern(tuple(tokens), fold)


@lru_cache(maxsize=20_000)
def names_glob(text: str) -> Pattern:
    """An ARN with wildcards, where names have no colon: no wildcard stands for one."""
    return Pattern(tuple(Token(c, ":") if c in (STAR, ONE) else Token("", c) for c in text))


@lru_cache(maxsize=20_000)
def arn_glob(text: str) -> Pattern:
    """An ARN with wildcards, as ArnLike compares it: segment by segment."""
    return joined(((text, True),), arn=True)


@lru_cache(maxsize=4_000)
def combinations(
    patterns: tuple[Pattern, ...], universe: Pattern = ANYTHING
) -> tuple[Mapping[tuple[bool, ...], str], bool]:
    """Which of the patterns can match one and the same non-empty text of `universe`, all at once and no others.

    Returns
    -------
    vector of booleans, one for each pattern -> a shortest text that produces it; and whether these are all the vectors
    (False if the search was cut off).
    """
    start = tuple(pattern.start() for pattern in (universe, *patterns))
    # The start, without any text, does not count as seen: a longer text may lead back to the same positions.
    queue = deque([(start, "")])
    seen: set[tuple[int, ...]] = set()
    found: dict[tuple[bool, ...], str] = {}
    while queue:
        masks, text = queue.popleft()
        if text and universe.accepts(masks[0]):
            vector = tuple(pattern.accepts(mask) for pattern, mask in zip(patterns, masks[1:], strict=True))
            found.setdefault(vector, text)
        telling = set(universe.telling(masks[0]))
        for pattern, mask in zip(patterns, masks[1:], strict=True):
            telling |= pattern.telling(mask)
        other = next((c for c in "x" + _LETTERS if c not in telling), "\x7f")
        for char in (*sorted(telling), other):
            after = (
                universe.step(masks[0], char),
                *(pattern.step(mask, char) for pattern, mask in zip(patterns, masks[1:], strict=True)),
            )
            if after[0] and after not in seen:
                if len(seen) >= MOST_STATES:
                    return found, False
                seen.add(after)
                queue.append((after, text + char))
    return found, True
