"""A presigned address dies: a store that checks as Amazon does, with a clock of its own, refuses it after five minutes."""

import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from tests.fixtures.presigned import refusal
from warehouse.objects import LINK_S, ObjectStore
from warehouse.settings import Settings

KEY_ID, SECRET = "a-key", "a-secret-of-the-test"


class Store(ThreadingHTTPServer):
    """Holds one file, behind the check."""

    now: datetime

    class Handler(BaseHTTPRequestHandler):
        server: "Store"

        def do_GET(self) -> None:
            found = refusal(f"http://{self.headers['host']}{self.path}", KEY_ID, SECRET, self.server.now)
            self.send_response(403 if found else 200)
            self.end_headers()
            self.wfile.write(found.encode() or b"%PDF-1.7")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Says nothing."""

    def get(self, address: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - the test's own store
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store(("127.0.0.1", 0), Store.Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def link(store: Store, settings: Settings) -> str:
    address = f"http://127.0.0.1:{store.server_port}"
    own = {
        "object_store_url": "s3://plant/files", "s3_endpoint_url": address, "s3_public_endpoint_url": address,
        "s3_access_key_id": KEY_ID, "s3_secret_access_key": SecretStr(SECRET),
    }  # fmt: skip
    found = ObjectStore(settings.model_copy(update=own)).link("factories/1/reports/a b.pdf", "RPT-1.pdf")
    assert found is not None
    store.now = signed_at(found)
    return found


def signed_at(link: str) -> datetime:
    found = re.search(r"X-Amz-Date=(\d{8}T\d{6}Z)", link)
    assert found is not None
    return datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def test_it_opens_until_five_minutes_after_it_was_made_and_never_again(store: Store, link: str) -> None:
    assert LINK_S == 300
    assert abs(datetime.now(UTC) - signed_at(link)) < timedelta(minutes=2)
    store.now += timedelta(seconds=LINK_S - 1)
    assert store.get(link) == (200, "%PDF-1.7")
    store.now += timedelta(seconds=1)
    assert store.get(link) == (403, "AccessDenied")
    store.now += timedelta(days=400)
    assert store.get(link) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        (r"X-Amz-Expires=300", "X-Amz-Expires=604800"),
        (r"X-Amz-Date=\d{4}", "X-Amz-Date=2199"),
        (r"/reports/a", "/reports/b"),
        (r"factories/1/", "factories/2/"),
        (r"RPT-1", "RPT-2"),
        (r"X-Amz-Signature=\w{4}", "X-Amz-Signature=0000"),
    ],
)
def test_nothing_in_it_can_be_changed(store: Store, link: str, what: str, instead: str) -> None:
    changed, count = re.subn(what, instead, link)
    assert count == 1
    assert store.get(changed) == (403, "SignatureDoesNotMatch")
