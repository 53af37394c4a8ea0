"""Files in a folder and in an S3-compatible store."""

import urllib.request

import pytest
from pydantic import SecretStr

from tests.fixtures.object_store import Bucket
from tests.helpers import free_port
from warehouse.errors import NotFoundError, RetryableError
from warehouse.objects import ObjectStore
from warehouse.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def in_s3(settings: Settings, bucket: Bucket) -> Settings:
    secret = SecretStr(bucket.settings["s3_secret_access_key"])
    public = {"s3_public_endpoint_url": bucket.endpoint_url.replace("127.0.0.1", "localhost")}
    own = {"s3_secret_access_key": secret, "object_store_url": f"s3://{bucket.name}/files"}
    return settings.model_copy(update={**bucket.settings, **own, **public})


@pytest.fixture(params=["settings", "in_s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    return ObjectStore(request.getfixturevalue(request.param))


def test_a_file_comes_back_until_it_is_deleted(store: ObjectStore) -> None:
    store.write("factories/1/a.txt", b"one")
    store.write("factories/1/a.txt", b"two")
    assert store.read("factories/1/a.txt") == b"two"
    store.delete("factories/1/a.txt")
    store.delete("factories/1/a.txt")
    with pytest.raises(NotFoundError, match="not in the store"):
        store.read("factories/1/a.txt")


def test_a_folder_has_no_addresses(settings: Settings) -> None:
    assert ObjectStore(settings).link("a", "a") is None


def test_whoever_has_the_presigned_address_gets_the_file_under_its_name(in_s3: Settings) -> None:
    store = ObjectStore(in_s3)
    store.write("factories/1/a.pdf", b"%PDF-1.7")
    with urllib.request.urlopen(store.link("factories/1/a.pdf", "RPT-1.pdf") or "", timeout=5) as answer:  # noqa: S310  # the test's own store
        assert answer.read() == b"%PDF-1.7"
        assert answer.headers["content-disposition"] == 'attachment; filename="RPT-1.pdf"'


def test_addresses_lead_where_browsers_reach_the_store(in_s3: Settings) -> None:
    assert (ObjectStore(in_s3).link("a", "a") or "").startswith(in_s3.s3_public_endpoint_url)
    inside = in_s3.model_copy(update={"s3_public_endpoint_url": ""})
    assert ObjectStore(inside).link("a", "a") is None, "nobody outside reaches a store whose outside address was not told"
    amazon = in_s3.model_copy(update={"s3_public_endpoint_url": "", "s3_endpoint_url": ""})
    assert "amazonaws.com" in (ObjectStore(amazon).link("a", "a") or "")


def test_a_store_that_is_away_is_to_be_tried_again(in_s3: Settings) -> None:
    away = in_s3.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(RetryableError, match="file store"):
        ObjectStore(away).read("a")
