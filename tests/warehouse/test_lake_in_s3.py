"""The lake's files in an S3-compatible store: written, read, and said to be away when the store is."""

import pytest
from pydantic import SecretStr

from tests.fixtures.object_store import Bucket
from tests.helpers import free_port
from tests.warehouse.frames import readings
from warehouse.errors import LakeBusyError
from warehouse.lake import Lake
from warehouse.settings import Settings

pytestmark = pytest.mark.slow  # a store, and a lake in it
ROWS = tuple((1, f"p{number}", float(number), 1.0) for number in range(500))


@pytest.fixture
def in_s3(settings: Settings, bucket: Bucket) -> Settings:
    secret = SecretStr(bucket.settings["s3_secret_access_key"])
    return settings.model_copy(update={**bucket.settings, "s3_secret_access_key": secret, "lake_data_path": f"s3://{bucket.name}/lake"})


def test_readings_come_back(in_s3: Settings) -> None:
    lake = Lake(in_s3)
    lake.append(readings(*ROWS))
    lake.close()
    again = Lake(in_s3)
    assert again.reader(1).query("SELECT count(*) FROM telemetry").item() == len(ROWS)
    again.close()


def test_a_store_that_is_away_is_a_lake_that_is_away(in_s3: Settings) -> None:
    lake = Lake(in_s3)
    lake.append(readings(*ROWS))
    lake.close()
    cut_off = Lake(in_s3.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{free_port()}"}))
    with pytest.raises(LakeBusyError, match="cannot be reached"):
        cut_off.append(readings(*ROWS))
    cut_off.close()
    lake = Lake(in_s3)
    assert lake.reader(1).query("SELECT count(*) FROM telemetry").item() == len(ROWS)
    lake.close()
