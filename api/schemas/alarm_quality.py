"""How good the alarm system is, by the measures of ISA-18.2."""

from api.schemas.common import Moment, Schema
from warehouse.queries.alarm_board import Actor, AlarmBoard


class ActorOut(Schema):
    """A rule on a machine."""

    rule_id: int
    rule_name: str
    device_id: int
    device_key: str
    count: int
    share: float | None
    alert_id: int | None


class FloodOut(Schema):
    """A time with more than ten alerts in ten minutes."""

    start: Moment
    end: Moment
    count: int


class HourOut(Schema):
    """Alerts in one hour."""

    start: Moment
    count: int


class AlarmQualityOut(Schema):
    """The measures of a period."""

    start: Moment
    end: Moment
    total: int
    silenced: int
    by_severity: dict[str, int]
    per_hour: float
    by_hour: list[HourOut]
    most_in_10_min: int
    floods: list[FloodOut]
    flood_share: float
    bad_actors: list[ActorOut]
    top_ten_share: float | None
    chattering: list[ActorOut]
    stale: list[ActorOut]
    """`count` is the age in hours."""
    mean_acknowledge_min: float | None
    mean_resolve_min: float | None
    acknowledged_in_time: dict[str, float | None]
    never_acknowledged: int


def quality_out(board: AlarmBoard) -> AlarmQualityOut:
    """The answer for a board."""
    measures = board.measures
    return AlarmQualityOut(
        start=board.start,
        end=board.end,
        total=measures.total,
        silenced=board.silenced,
        by_severity=measures.by_severity,
        per_hour=measures.per_hour,
        by_hour=[HourOut(start=start, count=count) for start, count in board.by_hour],
        most_in_10_min=measures.most_in_10_min,
        floods=[FloodOut(start=flood.start, end=flood.end, count=flood.count) for flood in board.floods],
        flood_share=board.flood_share,
        bad_actors=[_actor(one) for one in board.bad_actors],
        top_ten_share=measures.top_ten_share,
        chattering=[_actor(one) for one in board.chattering],
        stale=[_actor(one) for one in board.stale],
        mean_acknowledge_min=board.mean_acknowledge_min,
        mean_resolve_min=board.mean_resolve_min,
        acknowledged_in_time=measures.acknowledged_in_time,
        never_acknowledged=measures.never_acknowledged,
    )


def _actor(one: Actor) -> ActorOut:
    return ActorOut(
        rule_id=one.rule_id,
        rule_name=one.rule_name,
        device_id=one.device_id,
        device_key=one.device_key,
        count=one.count,
        share=one.share,
        alert_id=one.alert_id,
    )
