"""Where a request comes from and who asks, noted for the audit trail and for every log line."""

import structlog
from starlette.requests import HTTPConnection

from warehouse.access.origin import note_address
from warehouse.access.sessions import Identity


def address_of(connection: HTTPConnection) -> str | None:
    """The network address that asks; behind a proxy of ours the one that the proxy names."""
    return connection.client.host if connection.client else None


def know_who(connection: HTTPConnection, identity: Identity) -> None:
    """Notes address, person and factory in the context of this request."""
    note_address(address_of(connection))
    structlog.contextvars.bind_contextvars(user_id=identity.user_id, factory_id=identity.factory_id)
