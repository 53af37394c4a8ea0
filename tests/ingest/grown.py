"""An installation whose database and catalog are in a PostgreSQL server that only one test uses, and may stop."""

from tests.fixtures.postgres import Server, create_database, sqlalchemy_url
from tests.fixtures.warehouse import migrate
from tests.helpers import free_port
from tests.ingest.conftest import Plant, add_devices
from warehouse.db import Database
from warehouse.settings import Settings


def grown_plant(settings: Settings, server: Server, *devices: str) -> Plant:
    """A new one with these machines; the caller disposes of its database."""
    settings.home.mkdir(parents=True)
    update = {
        "database_url": sqlalchemy_url(create_database(server.url)),
        "lake_catalog_url": create_database(server.url),
        "mqtt_broker_port": free_port(),
        "mqtt_shared_group": "ingest",
    }
    grown = settings.model_copy(update=update)
    db = Database(grown.operational_url)
    migrate(db)
    return Plant(grown, db, add_devices(db, *devices))
