"""Questions to a running process whether it works; each is asked again and again, and never raises."""

import http.client
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from factoryops import ports
from warehouse.db import Database
from warehouse.heartbeat import heartbeats

PATIENCE_S: Final = 3.0
Probe = Callable[[], bool]


def at_once() -> bool:
    """For processes that nobody can ask; when they die they are started again all the same."""
    return True


def gives_signs(db: Database, name: str, since: datetime) -> Probe:
    """The process gave a sign of life after `since`; one that a killed predecessor left behind does not count."""

    def ask() -> bool:
        try:
            return any(found.name == name and found.at > since for found in heartbeats(db))
        except DBAPIError:
            return False

    return ask


def listens(port: int, host: str = "127.0.0.1") -> Probe:
    """Somebody accepts connections on the port."""
    return lambda: ports.answers(port, host)


def page_answers(port: int, path: str, host: str = "127.0.0.1") -> Probe:
    """GET `path` is answered with 200."""
    return lambda: get(host, port, path)[0] == 200


def graphql_says(port: int, query: str, is_yes: Callable[[Any], bool], host: str = "127.0.0.1") -> Probe:
    """The Dagster webserver's answer to `query` satisfies `is_yes`, which gets what is under `data`."""

    def ask() -> bool:
        status, body = get(host, port, "/graphql", json.dumps({"query": query}))
        try:
            return status == 200 and is_yes(json.loads(body)["data"])
        except (ValueError, KeyError, TypeError):
            return False

    return ask


def get(host: str, port: int, path: str, body: str | None = None) -> tuple[int, bytes]:
    """Status and body of a request (POST with a JSON `body`, else GET); status 0 when there was no answer. Goes through no proxy."""
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    try:
        connection.request("POST" if body else "GET", path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
