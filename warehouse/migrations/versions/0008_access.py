"""One-time links, second factors, keys of programs, pauses of addresses; the audit trail chained and closed against changes."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

from warehouse.access.chain import FIELDS, START, chained_hash
from warehouse.db import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OWNED = ("one_time_tokens", "second_factors", "recovery_codes", "api_keys", "audit_heads")
SYSTEM = "current_setting('factoryops.system', true) = 'on'"
MINE = "= NULLIF(current_setting('factoryops.factory_id', true), '')::integer"
TIME = sa.DateTime(timezone=True)
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CLOSED = "audit events are only ever added"


def _table(name: str, *columns: SchemaItem, key: str) -> None:
    op.create_table(
        name,
        *columns,
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f(f"fk_{name}_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{name}")),
    )
    if key != "factory_id":
        op.create_index(op.f(f"ix_{name}_factory_id"), name, ["factory_id"])


def _person(table: str) -> tuple[SchemaItem, ...]:
    link = sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(f"fk_{table}_user_id_users"), ondelete="CASCADE")
    return sa.Column("user_id", sa.Integer(), nullable=False), link


def upgrade() -> None:
    _one_time_tokens()
    _second_factors()
    _api_keys()
    op.create_table(
        "address_pauses",
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("last_failed_at", TIME, nullable=False),
        sa.Column("locked_until", TIME, nullable=True),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_address_pauses")),
    )
    op.create_index(op.f("ix_address_pauses_last_failed_at"), "address_pauses", ["last_failed_at"])
    _table("audit_heads", sa.Column("position", BIG, nullable=False), sa.Column("hash", sa.String(64), nullable=False), key="factory_id")
    if op.get_bind().dialect.name == "postgresql":
        for table in OWNED:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(
                f"CREATE POLICY one_factory ON {table} USING ({SYSTEM} OR factory_id {MINE}) WITH CHECK ({SYSTEM} OR factory_id {MINE})"
            )
    _chain_what_is_there()
    _close()


def _one_time_tokens() -> None:
    name = "one_time_tokens"
    _table(
        name,
        sa.Column("id", sa.String(64), nullable=False),
        *_person(name),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.CheckConstraint("purpose IN ('password_reset', 'second_factor')", name=op.f(f"ck_{name}_purpose")),
        key="id",
    )
    op.create_index(op.f(f"ix_{name}_user_id"), name, ["user_id"])
    op.create_index(op.f(f"ix_{name}_expires_at"), name, ["expires_at"])


def _second_factors() -> None:
    _table(
        "second_factors",
        *_person("second_factors"),
        sa.Column("sealed_secret", sa.String(255), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.Column("last_step", BIG, nullable=False),
        key="user_id",
    )
    _table(
        "recovery_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        *_person("recovery_codes"),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        key="id",
    )
    op.create_index(op.f("ix_recovery_codes_user_id"), "recovery_codes", ["user_id"])


def _api_keys() -> None:
    _table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        *_person("api_keys"),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(255), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
        key="id",
    )
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"])


def _chain_what_is_there() -> None:
    """Events from before the chain are chained in the order in which they were written."""
    op.add_column("audit_events", sa.Column("position", BIG, nullable=False, server_default="0"))
    op.add_column("audit_events", sa.Column("hash", sa.String(64), nullable=False, server_default=""))
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        op.execute("SELECT set_config('factoryops.system', 'on', true)")
    kinds: dict[str, Any] = {
        "happened_at": UtcDateTime(),
        "before": sa.JSON(),
        "after": sa.JSON(),
        "factory_id": sa.Integer(),
        "user_id": sa.Integer(),
    }
    columns: list[Any] = [sa.column(name, kinds.get(name, sa.String())) for name in ("id", "hash", *FIELDS)]
    events, heads = (
        sa.table("audit_events", *columns),
        sa.table("audit_heads", sa.column("factory_id"), sa.column("position"), sa.column("hash")),
    )
    newest: dict[int, tuple[int, str]] = {}
    for row in bind.execute(sa.select(events).order_by(events.c.factory_id, events.c.id)).mappings().all():
        position, previous = newest.get(row["factory_id"], (0, START))
        link = chained_hash(previous, {**row, "position": position + 1})
        bind.execute(sa.update(events).where(events.c.id == row["id"]).values(position=position + 1, hash=link))
        newest[row["factory_id"]] = (position + 1, link)
    for factory_id, (position, link) in newest.items():
        bind.execute(sa.insert(heads).values(factory_id=factory_id, position=position, hash=link))
    op.create_index(op.f("ix_audit_events_factory_id_position"), "audit_events", ["factory_id", "position"], unique=True)


def _close() -> None:
    """No change, no deletion: by rights for the product's own role, by triggers for whoever has more of them."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON audit_events FROM PUBLIC, CURRENT_USER")
        op.execute(
            "CREATE FUNCTION audit_events_closed() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{CLOSED}' USING ERRCODE = 'insufficient_privilege'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_events_closed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_events_closed()"
        )
        return
    for what in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_events_no_{what.lower()} BEFORE {what} ON audit_events BEGIN SELECT RAISE(ABORT, '{CLOSED}'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_events_closed ON audit_events")
        op.execute("DROP FUNCTION audit_events_closed()")
        op.execute("GRANT UPDATE, DELETE, TRUNCATE ON audit_events TO CURRENT_USER")
    else:
        op.execute("DROP TRIGGER audit_events_no_update")
        op.execute("DROP TRIGGER audit_events_no_delete")
    op.drop_index(op.f("ix_audit_events_factory_id_position"), "audit_events")
    op.drop_column("audit_events", "hash")
    op.drop_column("audit_events", "position")
    for table in ("audit_heads", "address_pauses", "api_keys", "recovery_codes", "second_factors", "one_time_tokens"):
        op.drop_table(table)
