"""From which network address the present request came; what serves requests notes it, the audit trail writes it down."""

from contextvars import ContextVar

_address: ContextVar[str | None] = ContextVar("factoryops_address", default=None)


def note_address(address: str | None) -> None:
    """Remembers the address for the rest of this request: for this task or thread, and what it starts with a copy of its context."""
    _address.set(address)


def noted_address() -> str | None:
    """The address of the present request; None outside of one."""
    return _address.get()
