"""Makes what arrived durable: everything that waits goes into the database in one transaction, and is acknowledged after it.

    inbox ==take all==> decode ==one transaction==> landing log + latest values + last seen + parameters + dead letters ==> PUBACK

A busy plant batches by itself: what arrives during one commit is the next one's batch.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.orm import Session

from ingest import dead_letters, reasons
from ingest.backoff import Backoff
from ingest.directory import Place
from ingest.discovery import Discovery, discover
from ingest.figures import IngestFigures
from ingest.flush import Decoded, FlushDecoder, Incoming, Letter
from ingest.inbox import Inbox
from ingest.limits import DeviceLimits, Excess
from ingest.notes import Notes
from ingest.receipts import READ_BACK_BATCHES, Receipts, packed, receipts_of, unpacked
from ingest.registry import Registry
from warehouse import landing, latest
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import PermanentError
from warehouse.models.observations import MIXED_TYPES, NAIVE_TIME, RATE_LIMITED
from warehouse.tenancy import system_session
from warehouse.tracing import trace_id

MOST_A_FLUSH: Final = 20_000
"""Messages; bounds what one transaction holds in memory."""
SEEN_STEP: Final = timedelta(seconds=1)
"""`devices.last_seen` moves in steps of this size: it is compared with minutes, and a busy device would cost a write each commit."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
log = structlog.get_logger()


class Lander:
    """Lands messages; for one thread."""

    def __init__(
        self,
        db: Database,
        figures: IngestFigures,
        clock: Clock,
        raw_retention: timedelta,
        ingester: str = "",
        limits: DeviceLimits | None = None,
    ) -> None:
        self._db, self._figures, self._clock, self._ingester = db, figures, clock, ingester
        self._limits = limits or DeviceLimits(0)
        self._excess: dict[str, Excess] = {}
        self._notes = Notes()
        self._receipts: Receipts | None = None
        self._decoder = FlushDecoder(raw_retention, self._moment_of)
        self._bounds = dead_letters.Bounds()
        self._seen: dict[int, datetime] = {}
        self.registry = Registry(db)
        self.problem = ""
        """Why nothing can be landed now, in words; empty while it can."""

    def run(
        self,
        inbox: Inbox,
        acknowledge: Callable[[Sequence[Incoming]], None],
        stop: threading.Event,
        spacing_s: float,
        refusal: Callable[[], str] = str,
    ) -> None:
        """Lands what the inbox holds until `stop` is set; what is then still in it was never acknowledged, so it comes again.

        While `refusal` says why nothing may be landed, everything waits.
        """
        while not stop.is_set():
            began = time.monotonic()
            if not inbox.wait(0.5):
                continue
            if not self._may_land(refusal):
                stop.wait(0.25)
                continue
            messages = inbox.take(MOST_A_FLUSH)
            # Once for each message, however often landing is tried.
            admitted, self._excess = self._limits.admit(messages, self.registry.directory.places)
            if self.land_patiently(admitted, stop):
                acknowledge(messages)
            self._figures.waiting.set(len(inbox))
            stop.wait(max(0.0, spacing_s - (time.monotonic() - began)))

    def _may_land(self, refusal: Callable[[], str]) -> bool:
        try:
            refused = refusal()
        except SQLAlchemyError:
            return True  # landing itself will find out, and wait
        if refused and refused != self.problem:
            log.error("landing_refused", problem=refused)
        self.problem = refused or self.problem
        return not refused

    def land_patiently(self, messages: Sequence[Incoming], stop: threading.Event) -> bool:
        """Lands messages, however long the database is away; False when `stop` was set before it could."""
        backoff = Backoff(0.05, 2.0)
        while not stop.is_set():
            try:
                self.land(messages)
            except SQLAlchemyError as away:
                if not self.problem:
                    log.warning("landing_fails", problem=str(away)[:500], advice="messages wait in the broker meanwhile")
                self.problem = f"the database cannot be reached: {str(away)[:200]}"
                self._figures.retries.inc()
                stop.wait(backoff.next_s())
                continue
            if self.problem:
                log.info("landing_works_again")
            self.problem = ""
            return True
        return False

    def land(self, messages: Sequence[Incoming]) -> None:
        """Lands messages in one transaction; when the database refuses what one of them holds, in several, without that one.

        Raises the database's own error while it is away; then nothing was written.
        """
        # Before anything is written: nothing may fail between a commit and what is remembered of it.
        self._known_receipts()
        self.registry.refresh_if_due()
        self.registry.refresh_for([message.topic for message in messages])
        try:
            self._land(messages)
        except StatementError as refused:
            if not _is_about_data(refused):
                raise
            # A device that was deleted a moment ago is refused as well; then another look at the database is all that is needed.
            self.registry.refresh(anyway=True)
            self._land_in_halves(messages, refused)

    def _land_in_halves(self, messages: Sequence[Incoming], refused: StatementError) -> None:
        try:
            self._land(messages)
            return
        except StatementError as again:
            if not _is_about_data(again):
                raise
            refused = again
        if len(messages) == 1:
            log.error("message_not_storable", topic=messages[0].topic, problem=str(refused)[:500])
            self._write(Decoded(pl.DataFrame(), [_not_storable(messages[0], refused)], {}), messages, None)
            return
        middle = len(messages) // 2
        self._land_in_halves(messages[:middle], refused)
        self._land_in_halves(messages[middle:], refused)

    def _land(self, messages: Sequence[Incoming]) -> None:
        began = time.perf_counter()
        decoded = self._decoder.decode(messages, self.registry.directory)
        newest = latest.newest(decoded.readings) if decoded.readings.height else None
        self._write(decoded, messages, newest)
        self._figures.flush_s.observe(time.perf_counter() - began)

    def _write(self, decoded: Decoded, messages: Sequence[Incoming], newest: pl.DataFrame | None) -> None:
        now = self._clock.now()
        discovery = Discovery()
        seen = self._due_signs(decoded.seen_us)
        receipts = receipts_of(decoded.untimed)
        with system_session(self._db, "land messages", write=True) as session:
            # First, because it keeps two ingesters from waiting for each other's rows.
            landing.take_turn(session)
            if newest is not None:
                discovery = self._write_readings(session, decoded, newest, messages, packed(receipts), now)
            latest.touch_devices(session, seen)
            letters = decoded.letters + self._excess_letters()
            recorded = self._bounds.admit(letters)
            dead_letters.record(session, recorded, self._ingester)
            noted = self._notes.write(session)
        # Only now, when it is durable, does anybody remember it.
        self.registry.learn_parameters(discovery.learned)
        self._notes.written(noted)
        self._tell(decoded.readings)
        self._notice(decoded, discovery, now)
        self._seen.update(seen)
        self._known_receipts().learn(receipts, len(messages))
        self._count(decoded, letters, messages, len(recorded), now)

    def _tell(self, readings: pl.DataFrame) -> None:
        """With LOG_LEVEL=DEBUG a line for each message, under the id that alert and mail carry; it would cost too much otherwise."""
        if readings.height and log.is_enabled_for(logging.DEBUG):
            for factory_id, device_id, ts in readings.select("factory_id", "device_id", "ts").unique(maintain_order=True).rows():
                log.debug("message_landed", trace_id=trace_id(factory_id, device_id, ts), device_id=device_id, ts=ts.isoformat())

    def _write_readings(
        self, session: Session, decoded: Decoded, newest: pl.DataFrame, messages: Sequence[Incoming], receipts: bytes | None, now: datetime
    ) -> Discovery:
        discovery = discover(newest, self.registry.parameters, self.registry.parameter_counts, now)
        if discovery.refused:
            newest = self._without(decoded, newest, discovery.refused, messages)
        if not decoded.readings.height:
            return Discovery()
        landing.append(session, decoded.readings, len(messages), now, ingester=self._ingester, receipts=receipts)
        latest.move_forward(session, newest)
        latest.add_parameters(session, discovery.rows)
        latest.widen_parameters(session, discovery.widened)
        return discovery

    def _excess_letters(self) -> list[Letter]:
        """One for each topic that sent too much: the last message, and how many they were."""
        letters = []
        for topic, excess in self._excess.items():
            if place := self.registry.directory.places.get(topic):
                detail = f"{excess.count} messages dropped, this is the last"
                letters.append(Letter(excess.message, reasons.RATE_LIMITED, detail, *place, topic.split("/")[3]))
        return letters

    def _notice(self, decoded: Decoded, discovery: Discovery, now: datetime) -> None:
        """Gathers what people should know of machines; it is written along with a later flush."""
        for place, count in decoded.naive.items():
            self._notes.notice(place, NAIVE_TIME, "a time without a zone was taken as UTC", now, count=count)
        for mixed in discovery.mixed:
            self._notes.notice(Place(mixed.factory_id, mixed.device_id), MIXED_TYPES, mixed.detail, now, parameter_key=mixed.parameter_key)
        for topic, excess in self._excess.items():
            self._figures.rate_limited.inc(excess.count)
            if sender := self.registry.directory.places.get(topic):
                self._notes.notice(sender, RATE_LIMITED, f"{excess.count} messages dropped at once", now, count=excess.count)
        self._excess = {}

    def _moment_of(self, message: Incoming) -> int:
        return self._known_receipts().first_received_us(message)

    def _known_receipts(self) -> Receipts:
        """What the landing log tells of messages that a predecessor of ours landed and perhaps could not acknowledge any more."""
        if self._receipts is None:
            found = Receipts()
            with system_session(self._db, "what landed last") as session:
                for messages, stored in landing.last_receipts(session, self._ingester, READ_BACK_BATCHES):
                    found.learn(unpacked(stored) if stored else (), messages)
            self._receipts = found
        return self._receipts

    def _without(
        self, decoded: Decoded, newest: pl.DataFrame, refused: list[tuple[int, str]], messages: Sequence[Incoming]
    ) -> pl.DataFrame:
        """Takes parameters that are too many out of a flush; one dead letter for each device names some of them."""
        gone = pl.DataFrame(refused, schema={"device_id": pl.Int32, "parameter": pl.String}, orient="row")
        decoded.readings = decoded.readings.join(gone, on=["device_id", "parameter"], how="anti", maintain_order="left")
        places = self.registry.directory.places
        senders = {places[message.topic].device_id: message for message in messages if message.topic in places}
        for (device_id,), names in gone.group_by("device_id", maintain_order=True):
            message = senders[device_id]
            detail = f"{names.height} parameters too many, such as {', '.join(names['parameter'].head(5))}"
            place = places[message.topic]
            decoded.letters.append(
                Letter(message, reasons.TOO_MANY_PARAMETERS, detail, place.factory_id, place.device_id, message.topic.split("/")[3])
            )
        return newest.join(gone, on=["device_id", "parameter"], how="anti", maintain_order="left")

    def _due_signs(self, seen_us: dict[int, int]) -> dict[int, datetime]:
        signs = {device_id: _EPOCH + timedelta(microseconds=at_us) for device_id, at_us in seen_us.items()}
        return {device_id: at for device_id, at in signs.items() if device_id not in self._seen or at - self._seen[device_id] >= SEEN_STEP}

    def _count(self, decoded: Decoded, letters: Sequence[Letter], messages: Sequence[Incoming], recorded: int, now: datetime) -> None:
        self._figures.messages.inc(len(messages))
        self._figures.readings.inc(decoded.readings.height)
        self._figures.redelivered.inc(sum(message.repeated for message in messages))
        for reason, number in Counter(letter.reason for letter in letters).items():
            self._figures.dead_letters.labels(reason).inc(number)
        self._figures.dead_letters_unrecorded.inc(len(letters) - recorded)
        if messages:
            self._figures.lag_s.observe(max(0.0, (now - _EPOCH).total_seconds() - messages[0].received_us / 1e6))


def _is_about_data(refused: StatementError) -> bool:
    """Whether the database is there and will never take what it was given."""
    return isinstance(refused, IntegrityError | DataError) or not isinstance(refused, DBAPIError)


def _not_storable(message: Incoming, refused: StatementError) -> Letter:
    return Letter(message, reasons.NOT_STORABLE, str(refused)[:300], None, None, None)


def registry_or_complaint(registry: Registry) -> None:
    """Looks at the database once, at the start. Raises PermanentError when it has no tables of ours."""
    try:
        registry.refresh(anyway=True)
    except DBAPIError as failed:
        if "no such table" in str(failed) or "does not exist" in str(failed):
            raise PermanentError("the database has no tables yet; run `factoryops init` or `factoryops up` first") from failed
        log.warning("database_away", problem=str(failed)[:300])
