"""Takes secrets out of what is logged: by the name that a value has, and by the form of what looks like one of ours; pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "(hidden)"
_NAMES: Final = re.compile(
    r"pass(word|wd|phrase)|secret|token|authorization|cookie|api_?key|recovery_code|^code$|private_key", re.IGNORECASE
)
_FORMS: Final = (
    (re.compile(r"\bfok_[A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), HIDDEN),
    (re.compile(r"\b(Bearer|Basic) +[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"(\w+://[^/\s:@]*):[^/\s@]+@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"\b(password|passwd|secret|token|api_key|X-Amz-Signature)=[^&\s'\"]+", re.IGNORECASE), rf"\1={HIDDEN}"),
    (re.compile(r"(/session/[a-z-]+)#\S+"), rf"\1#{HIDDEN}"),
)
"""API keys, access tokens, headers, addresses with a password in them, fields of forms and addresses, links of mails."""


def redacted_text(text: str) -> str:
    """The text without what looks like a secret."""
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text


def redacted(value: Any, name: str = "") -> Any:
    """The value without secrets, however deep they lie. `name`: what it is called."""
    # Numbers are counts and ids: no secret of ours is one.
    if value is None or isinstance(value, bool | int | float):
        return value
    if _NAMES.search(name):
        return HIDDEN
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, Mapping):
        return {key: redacted(one, str(key)) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(one) for one in value]
    return value
