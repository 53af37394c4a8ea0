"""A process without a port is seen to live, to have a problem, or to be gone; its figures reach Prometheus."""

from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.registry import Collector

from tests.fixtures.warehouse import A_MONDAY
from warehouse import heartbeat, metrics
from warehouse.db import Database
from warehouse.heartbeat import MISSING_AFTER, Heartbeat


def test_the_last_sign_of_each_process_counts(database: Database) -> None:
    heartbeat.beat(database, Heartbeat("loader", A_MONDAY))
    heartbeat.beat(database, Heartbeat("loader", A_MONDAY + timedelta(seconds=5), "the lake is away"))
    heartbeat.beat(database, Heartbeat("ingester", A_MONDAY))
    assert heartbeat.heartbeats(database) == [
        Heartbeat("ingester", A_MONDAY),
        Heartbeat("loader", A_MONDAY + timedelta(seconds=5), "the lake is away"),
    ]


def test_state_says_what_is_wrong() -> None:
    now = A_MONDAY + MISSING_AFTER
    assert Heartbeat("loader", A_MONDAY).state(now) == "ok"
    assert Heartbeat("loader", A_MONDAY, "the lake is away").state(now) == "the lake is away"
    assert Heartbeat("loader", A_MONDAY).state(now + timedelta(seconds=1)) == "no sign of life for 21 s"


def test_who_says_goodbye_is_not_waited_for(database: Database) -> None:
    heartbeat.beat(database, Heartbeat("loader", A_MONDAY))
    heartbeat.say_goodbye(database, "loader")
    assert heartbeat.heartbeats(database) == []


def test_figures_of_several_processes_are_shown_together(database: Database) -> None:
    for name in ("ingester", "ingester b"):
        registry = CollectorRegistry()
        Counter("app_messages", "Messages", ["reason"], registry=registry).labels("good").inc(3)
        Histogram("app_flush_seconds", "Flushes", buckets=(0.1, 1), registry=registry).observe(0.5)
        heartbeat.beat(database, Heartbeat(name, A_MONDAY, "", metrics.samples(registry)))

    class Shown(Collector):
        def collect(self) -> list:
            return metrics.families((beat.name, beat.metrics) for beat in heartbeat.heartbeats(database))

    registry = CollectorRegistry()
    registry.register(Shown())
    text = generate_latest(registry).decode()
    assert 'app_messages_total{process="ingester",reason="good"} 3.0' in text
    assert 'app_messages_total{process="ingester b",reason="good"} 3.0' in text
    assert 'app_flush_seconds_bucket{le="1.0",process="ingester b"} 1.0' in text
    assert text.count("# TYPE app_messages_total counter") == 1
