"""Makes what arrived durable: everything that waits goes into the database in one transaction, and is acknowledged after it.

    inbox ==take all==> decode ==one transaction==> landing log + latest values + last seen + parameters + dead letters ==> PUBACK

A busy plant batches by itself: what arrives during one commit is the next one's batch.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.orm import Session

from ingest import dead_letters, reasons
from ingest.backoff import Backoff
from ingest.discovery import discover
from ingest.figures import IngestFigures
from ingest.flush import Decoded, FlushDecoder, Incoming, Letter
from ingest.inbox import Inbox
from ingest.receipts import READ_BACK_BATCHES, Receipts, packed, receipts_of, unpacked
from ingest.registry import Registry
from warehouse import landing, latest
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import PermanentError
from warehouse.tenancy import system_session

MOST_A_FLUSH: Final = 20_000
"""Messages; bounds what one transaction holds in memory."""
SEEN_STEP: Final = timedelta(seconds=1)
"""`devices.last_seen` moves in steps of this size: it is compared with minutes, and a busy device would cost a write each commit."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
log = structlog.get_logger()


class Lander:
    """Lands messages; for one thread."""

    def __init__(self, db: Database, figures: IngestFigures, clock: Clock, raw_retention: timedelta, ingester: str = "") -> None:
        self._db, self._figures, self._clock, self._ingester = db, figures, clock, ingester
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
            if self.land_patiently(messages, stop):
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
        found: list[tuple[int, str]] = []
        seen = self._due_signs(decoded.seen_us)
        receipts = receipts_of(decoded.untimed)
        with system_session(self._db, "land messages", write=True) as session:
            # First, because it keeps two ingesters from waiting for each other's rows.
            landing.take_turn(session)
            if newest is not None:
                found = self._write_readings(session, decoded, newest, messages, packed(receipts), now)
            latest.touch_devices(session, seen)
            recorded = self._bounds.admit(decoded.letters)
            dead_letters.record(session, recorded)
        # Only now, when it is durable, does anybody remember it.
        self.registry.learn_parameters(found)
        self._seen.update(seen)
        self._known_receipts().learn(receipts, len(messages))
        self._count(decoded, messages, len(recorded), now)

    def _write_readings(
        self, session: Session, decoded: Decoded, newest: pl.DataFrame, messages: Sequence[Incoming], receipts: bytes | None, now: datetime
    ) -> list[tuple[int, str]]:
        discovery = discover(newest, self.registry.parameters, self.registry.parameter_counts, now)
        if discovery.refused:
            newest = self._without(decoded, newest, discovery.refused, messages)
        if not decoded.readings.height:
            return []
        landing.append(session, decoded.readings, len(messages), now, ingester=self._ingester, receipts=receipts)
        latest.move_forward(session, newest)
        latest.add_parameters(session, discovery.rows)
        return [(row["device_id"], row["parameter_key"]) for row in discovery.rows]

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

    def _count(self, decoded: Decoded, messages: Sequence[Incoming], recorded: int, now: datetime) -> None:
        self._figures.messages.inc(len(messages))
        self._figures.readings.inc(decoded.readings.height)
        self._figures.redelivered.inc(sum(message.repeated for message in messages))
        for letter in decoded.letters:
            self._figures.dead_letters.labels(letter.reason).inc()
        self._figures.dead_letters_unrecorded.inc(len(decoded.letters) - recorded)
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
