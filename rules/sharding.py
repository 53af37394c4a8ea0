"""Sharing the factories out among evaluators anew: everything that the old shards remember is given to the new ones.

    old   0-of-2  snapshot 90   cursor 100        new   0-of-3 \
          1-of-2  snapshot 95   cursor 104              1-of-3  snapshot 90   cursor 100
                                                        2-of-3 /
What one of the old ones has seen of batches 91 to 104 is in its memory, where a reading is known by its key: seen again it changes
nothing, and an alert that was raised is not raised twice.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy import select

from rules.evaluation import CONSUMER
from rules.memory import Counts, Memory
from rules.snapshot import pack, remembered
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.models.alerting import Rule
from warehouse.models.devices import Device
from warehouse.shards import MOST_SHARDS, Shard, locked_cursors, shards_of, share_out
from warehouse.tenancy import system_session

_NOTHING: Final = (0, None)
log = structlog.get_logger()


def evaluator_shards(db: Database) -> list[Shard]:
    """The evaluator's shards as they are now."""
    with system_session(db, "how the rules are shared out") as session:
        return shards_of(session, CONSUMER)


def share_out_evaluator(db: Database, clock: Clock, count: int) -> int:
    """Makes it `count` shards while evaluators run; gives how many there were. Raises InvalidInputError for less than 1 or too many.

    Whoever evaluates now notices at its next step and goes on with a new shard within two seconds; nothing is lost or raised twice.
    """
    if not 1 <= count <= MOST_SHARDS:
        raise InvalidInputError(f"{count} shards: there can be 1 to {MOST_SHARDS}", path="shards")
    with system_session(db, "share the rules out anew", write=True) as session:
        old = shards_of(session, CONSUMER)
        if len(old) == count:
            return count
        cursors = locked_cursors(session, CONSUMER)
        factory_of_device: dict[int, int] = dict(session.execute(select(Device.id, Device.factory_id)).all())
        factory_of_rule: dict[int, int] = dict(session.execute(select(Rule.id, Rule.factory_id)).all())
        found = [cursors.get(shard.named(CONSUMER), _NOTHING) for shard in old]
        share_out(session, CONSUMER, resharded(found, count, factory_of_device, factory_of_rule), clock.now())
    log.info("evaluator_shared_out", shards=count, before=len(old))
    return len(old)


def resharded(
    found: Sequence[tuple[int, bytes | None]], count: int, factory_of_device: Mapping[int, int], factory_of_rule: Mapping[int, int]
) -> dict[Shard, tuple[int, bytes | None]]:
    """Cursor and snapshot of each of `count` shards, from those of the old ones; pure. Devices and rules that are gone are left out."""
    shards = [Shard(index, count) for index in range(count)]
    cursor = min(position for position, _ in found)
    if all(state is None for _, state in found):
        return dict.fromkeys(shards, (cursor, None))
    parts = [remembered(state, position) for position, state in found]
    begin = min(cursor, *(position for position, _, _ in parts))
    whole, fingerprints = (
        _together([memory for _, memory, _ in parts]),
        {rule: said for _, _, known in parts for rule, said in known.items()},
    )
    made: dict[Shard, tuple[int, bytes | None]] = {}
    for shard in shards:
        memory = Memory(received_us=whole.received_us, counts=whole.counts if shard.index == 0 else Counts())
        memory.devices = {key: one for key, one in whole.devices.items() if _is_in(shard, factory_of_device.get(key))}
        memory.tracks = {key: one for key, one in whole.tracks.items() if _is_in(shard, factory_of_rule.get(key[0]))}
        rules = {key: said for key, said in fingerprints.items() if _is_in(shard, factory_of_rule.get(key))}
        made[shard] = (cursor, pack(memory, begin, rules))
    return made


def _together(parts: Sequence[Memory]) -> Memory:
    """Of several shards; they have no device and no rule in common."""
    whole = Memory()
    for part in parts:
        whole.devices |= part.devices
        whole.tracks |= part.tracks
        whole.received_us = max(whole.received_us, part.received_us)
        for name in Counts.__slots__:
            setattr(whole.counts, name, getattr(whole.counts, name) + getattr(part.counts, name))
    return whole


def _is_in(shard: Shard, factory_id: int | None) -> bool:
    return factory_id is not None and shard.holds(factory_id)
