"""What the ingester counts, for Prometheus and for `/health`."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class IngestFigures:
    """Counters of one ingester since its start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = Counter("factoryops_ingest_messages", "Messages landed, the refused ones too", registry=self.registry)
        self.readings = Counter("factoryops_ingest_readings", "Readings landed", registry=self.registry)
        self.dead_letters = Counter(
            "factoryops_ingest_dead_letters", "Messages or parts of them refused, by reason", ["reason"], registry=self.registry
        )
        self.dead_letters_unrecorded = Counter(
            "factoryops_ingest_dead_letters_unrecorded",
            "Refused, and not recorded because their topic sent too many",
            registry=self.registry,
        )
        self.rate_limited = Counter(
            "factoryops_ingest_rate_limited", "Messages dropped because their device sent too many", registry=self.registry
        )
        self.flush_s = Histogram(
            "factoryops_ingest_flush_seconds", "Decoding and committing one batch", buckets=_SECONDS, registry=self.registry
        )
        self.lag_s = Histogram(
            "factoryops_ingest_lag_seconds", "Receipt to commit of the oldest message of a batch", buckets=_SECONDS, registry=self.registry
        )
        self.waiting = Gauge("factoryops_ingest_waiting_messages", "Messages received and not landed yet", registry=self.registry)
        self.connected = Gauge("factoryops_ingest_connected", "1 while the broker has let us in", registry=self.registry)
        self.connects = Counter("factoryops_ingest_connects", "Connections made to the broker", registry=self.registry)
        self.reconnects = Counter("factoryops_ingest_reconnects", "Connections that had to be made anew", registry=self.registry)
        self.redelivered = Counter("factoryops_ingest_redelivered", "Messages that the broker sent once more", registry=self.registry)
        self.retries = Counter("factoryops_ingest_commit_retries", "Commits that had to be tried again", registry=self.registry)

    def landed(self) -> int:
        """Messages landed since the start."""
        return int(self.registry.get_sample_value("factoryops_ingest_messages_total") or 0)


class LoaderFigures:
    """Counters of one loader since its start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.batches = Counter("factoryops_loader_batches", "Landed batches moved into the lake", registry=self.registry)
        self.readings = Counter("factoryops_loader_readings", "Readings written to the lake", registry=self.registry)
        self.repeated = Counter("factoryops_loader_repeated_readings", "Readings that were known already", registry=self.registry)
        self.late = Counter("factoryops_loader_late_readings", "Readings that the lake was asked about", registry=self.registry)
        self.load_s = Histogram("factoryops_loader_load_seconds", "One load into the lake", buckets=_SECONDS, registry=self.registry)
        self.lag_s = Gauge("factoryops_loader_lag_seconds", "Landing to lake of the newest loaded batch", registry=self.registry)
        self.remembered = Gauge("factoryops_loader_remembered_readings", "Keys held in memory to know repeats", registry=self.registry)
        self.retries = Counter("factoryops_loader_retries", "Loads that had to be tried again", registry=self.registry)
