"""What a new password must be like. Pure. Length counts for more than signs of many kinds (NIST SP 800-63B)."""

import re
from typing import Final

from warehouse.errors import InvalidInputError

SHORTEST: Final = 12
LONGEST: Final = 1024
"""A password of megabytes would keep a core busy; no person types one."""
FEWEST_SIGNS: Final = 5
"""Different characters."""
_COMMON: Final = frozenset({
    "password", "passwort", "matkhau", "qwerty", "qwertz", "azerty", "welcome", "iloveyou", "admin", "administrator",
    "factoryops", "secret", "monkey", "dragon", "football", "baseball", "sunshine", "princess", "master", "login", "default",
})  # fmt: skip
_PHRASES: Final = re.compile("change.?me|let.?me.?in|open.?sesame|trust.?no.?one")
_ROWS: Final = ("abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "01234567890123456789")
_LONGEST_RUN: Final = 6


class PasswordRefusedError(InvalidInputError):
    """The new password is too weak; `problems` lists what is wrong with it."""

    problems: list[str]


def check_new_password(password: str, *known: str) -> None:
    """Raises PasswordRefusedError. `known`: what others know of the person, such as e-mail, name and factory."""
    problems = password_problems(password, *known)
    if problems:
        raise PasswordRefusedError(
            f"This password is not good enough: it {', and it '.join(problems)}.", problems=problems, path="password"
        )


def password_problems(password: str, *known: str) -> list[str]:
    """What is wrong with a password, as ends of the sentence "it ..."; empty when it is good."""
    problems = []
    if len(password) < SHORTEST:
        problems.append(f"has {len(password)} characters and needs {SHORTEST}")
    if len(password) > LONGEST:
        problems.append(f"has more than {LONGEST} characters")
        return problems
    if len(set(password)) < FEWEST_SIGNS:
        problems.append(f"needs {FEWEST_SIGNS} different characters")
    small = password.casefold()
    letters = re.sub(r"[\d\W_]+", "", small)
    if letters in _COMMON or _PHRASES.fullmatch(letters) or _is_a_run(small):
        problems.append("is one of the first that are tried")
    if any(word in small for word in _words(known)):
        problems.append("holds a name or address that others know")
    return problems


def _is_a_run(small: str) -> bool:
    """Whether the password is little more than a stretch of the alphabet, of digits or of a keyboard's row."""
    rest = small
    for row in _ROWS:
        for line in (row, row[::-1]):
            for length in range(len(line), _LONGEST_RUN - 1, -1):
                for start in range(len(line) - length + 1):
                    rest = rest.replace(line[start : start + length], "")
    return len(rest) < len(small) and len(rest) < SHORTEST // 2


def _words(known: tuple[str, ...]) -> set[str]:
    parts = {part for text in known for part in re.split(r"[@.\s_+-]+", text.casefold())}
    return {part for part in parts if len(part) >= 4}
