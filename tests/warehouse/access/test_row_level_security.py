"""PostgreSQL's own wall: every table with a factory has it, and raw SQL past all our hooks gets nothing."""

from tests.fixtures.people import Person, add_person
from tests.fixtures.warehouse import A_MONDAY
from warehouse.access import audit
from warehouse.db import Database
from warehouse.models.all import METADATA
from warehouse.tenancy import SYSTEM_TABLES, tenant_session

OWNED = sorted(
    table.name
    for table in METADATA.sorted_tables
    if table not in SYSTEM_TABLES and ("factory_id" in table.columns or table.name == "factories")
)


def test_every_table_with_a_factory_is_walled_also_against_its_owner(postgresql_database: Database) -> None:
    walled = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity"
    with postgresql_database.engine.connect() as connection:
        found = set(connection.exec_driver_sql(walled).scalars())
        policies = set(connection.exec_driver_sql("SELECT tablename FROM pg_policies").scalars())
    assert set(OWNED) - found == set()
    assert set(OWNED) - policies == set()


def test_raw_sql_past_our_hooks_returns_nothing(postgresql_database: Database, password_hash: str) -> None:
    people: list[Person] = [add_person(postgresql_database, password_hash, slug) for slug in ("north", "south")]
    for person in people:
        with tenant_session(postgresql_database, person.factory_id, write=True) as session:
            audit.append(session, "rule.update", "rule:1", A_MONDAY, audit.Actor(person.factory_id, person.user_id))
    with postgresql_database.engine.connect() as connection:
        counts = {table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() for table in OWNED}
    assert counts == dict.fromkeys(OWNED, 0)
    with postgresql_database.engine.begin() as connection:
        connection.exec_driver_sql("SELECT set_config('factoryops.factory_id', %s, true)", (str(people[0].factory_id),))
        seen = {table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() for table in ("users", "audit_events")}
    assert seen == {"users": 1, "audit_events": 1}
