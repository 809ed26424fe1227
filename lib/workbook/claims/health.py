"""Whether a container's health check can fail: what its shell command returns when one of its commands fails."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

# These need a shell to understand them; a variable is only an argument.
_COMPOUND = re.compile(
    r"`|\$\(|[()]|<<|(?:^|[\s;&|])(?:\{|if|while|until|for|case|function|trap|exec|eval|set)\s|\b(?:ba|da)?sh\s+-\w*c\b"
)
_REDIRECTION = re.compile(r"\d*>&\d+|&>>?\s*[^\s;&|]+|\d*>>?\s*[^\s;&|]+|\d*<\s*[^\s;&|]+")
_ALWAYS = frozenset({"true", ":", "echo", "printf"})
_ENDS = frozenset({";", "&", ";;", "\n"})


def fails_with(command: str, part: re.Pattern[str]) -> bool | None:
    """Whether a shell command fails if the commands in it that match `part` fail and all others do their work.

    None if it is more than a list of commands joined by `&&`, `||`, `;` and `|`.
    """
    if _COMPOUND.search(command):
        return None
    try:
        lexer = shlex.shlex(_REDIRECTION.sub(" ", command).replace("\n", " ; "), posix=True, punctuation_chars=";&|")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # such as a quotation that does not end
        return None
    return _status(words, lambda simple: part.search(" ".join(simple)) is not None)


def _status(words: list[str], broken: Callable[[list[str]], bool]) -> bool:
    """Whether the list of commands fails, from left to right as a shell runs it."""
    failed, run, simple, negated = False, True, list[str](), False
    for word in [*words, ";"]:
        if word not in _ENDS | {"&&", "||", "|", "|&"}:
            if word == "!" and not simple:
                negated = not negated
            else:
                simple.append(word)
            continue
        if simple and word not in ("|", "|&") and run:  # The last command of a pipeline decides.
            if simple[0] == "exit":
                return simple[1:2] not in ([], ["0"]) if simple[1:] else failed
            failed = (broken(simple) or simple[0] == "false") and simple[0] not in _ALWAYS
            failed = failed != negated
        if word == "&":
            failed = False  # It runs in the background.
        if simple or word in ("&&", "||"):
            run = not failed if word == "&&" else failed if word == "||" else True
        simple, negated = [], False
    return failed
