"""The lake: readings and all that is derived from them, in DuckLake. The only module that opens it.

Traps that this module keeps from everybody else (measured; see docs/decisions.md): only DuckDB may open a SQLite catalog, every
write to one takes a lock across processes, extensions are loaded from wheels by path, and a folder that was moved away must not
be made anew by a write.
"""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import duckdb
import polars as pl
import structlog
from filelock import FileLock, Timeout
from polars import selectors
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from warehouse.errors import LakeBusyError, TenancyError
from warehouse.extensions import EXTENSIONS_AS_INSTALLED, extension_file, s3_secret
from warehouse.lake_upgrade import upgrade_tables
from warehouse.marks import add_marks, marks_of
from warehouse.progress import position_of, require_positions
from warehouse.readings import KEY, READINGS, UTC_TIME
from warehouse.settings import Settings
from warehouse.tables import LAKE, LOADER_PROGRESS, READABLE, SHAPES, TELEMETRY

WRITE_LOCK_TIMEOUT_S: Final = 30
READ_RETRY_S: Final = 5
# Fewer rows than this go into the catalog instead of a tiny file of their own; the maintenance job writes them out.
INLINE_ROWS: Final = 200
MARKER: Final = ".factoryops-lake"
_AWAY: Final = (
    duckdb.IOException,
    duckdb.TransactionException,
    duckdb.CatalogException,
    duckdb.ConnectionException,
    duckdb.InternalException,
    duckdb.FatalException,
)
log = structlog.get_logger()


class Lake:
    """One attached lake, shared by the threads of a process."""

    def __init__(self, settings: Settings, *, threads: int = 2, memory_limit: str = "1GB", upgrade: bool = True) -> None:
        self._catalog_url = settings.lake_catalog_url
        self._catalog_path = settings.catalog_path
        self._files = settings.lake_files
        self._embedded = not settings.lake_catalog_url
        self._secret = s3_secret(settings) if self._files.startswith("s3://") else ""
        self._options: dict[str, str | bool | int | float | list[str]] = {"threads": threads, "memory_limit": memory_limit}
        self._lock_path = settings.home / "lake.lock"
        self._made = settings.home / "lake.made"
        # Reentrant within a thread: attaching inside a write must not wait for itself.
        self._file_lock = FileLock(self._lock_path, timeout=WRITE_LOCK_TIMEOUT_S)
        self._guard = threading.Lock()
        self._root: duckdb.DuckDBPyConnection | None = None
        self._catalog_inode: int | None = None
        self._upgrade = upgrade
        self.watts_a_unit: Callable[[int], Mapping[int, float]] = lambda _factory_id: {}
        """By factory: how many watts a unit of a machine's power is, of those that do not measure in W. `Installation` sets it."""
        self.commits = 0
        """How many transactions this object has committed: what was remembered of the lake before is old."""

    def reader(self, factory_id: int, snapshot_id: int | None = None) -> "LakeReader":
        """Reads of one factory; cheap to make, one a query or a thread. With `snapshot_id` the data as they stood at that snapshot."""
        return LakeReader(self, factory_id, snapshot_id)

    @property
    def files(self) -> str:
        """Folder or s3:// prefix of the data files."""
        return self._files

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection across factories, for the loader, maintenance and this package only.

        Raises LakeBusyError when the lake is away or locked; the next call attaches anew.
        """
        try:
            root = self._attached()
            cursor = root.cursor()
        except _AWAY as problem:
            raise self._busy(problem) from problem
        try:
            yield cursor
        except _AWAY as problem:
            raise self._busy(problem) from problem
        except duckdb.InvalidInputException as problem:
            if self._root is root:
                raise
            # Another thread closed the lake meanwhile: what still read has no connection any more.
            raise self._busy(problem) from problem
        finally:
            cursor.close()

    @contextmanager
    def writer(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One lake transaction: commits at the end, rolls back on an error. Raises LakeBusyError as `cursor` does."""
        with self._write_lock(), self.cursor() as cursor:
            self._check_in_place()
            cursor.execute("BEGIN")
            try:
                yield cursor
                self._check_in_place()
                cursor.execute("COMMIT")
                self.commits += 1
            except BaseException:
                self._roll_back(cursor)
                raise

    @contextmanager
    def maintenance(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection under the write lock without a transaction, for DuckLake's own maintenance calls."""
        with self._write_lock(), self.cursor() as cursor:
            self._check_in_place()
            yield cursor

    def append(
        self, readings: pl.DataFrame, loader: tuple[str, int] | None = None, *, after: int | None = None, backfills: int | None = None
    ) -> None:
        """Adds READINGS in one transaction with the loader's cursor (shard, position). Does not look for repeats.

        Marks the hours whose rollups they change (`warehouse.marks`). The moment of receipt is kept to the millisecond.
        With `after`, raises LeaseLostError and writes nothing when the cursor does not stand there: another loader was at work.
        With `backfills`, raises BackfilledError and writes nothing when a history file came since: there were so many before.
        """
        accepted = readings if readings.schema == READINGS else readings.select(READINGS.names()).cast(READINGS)
        delay_ms = (pl.col("received_at") - pl.col("ts")).dt.total_milliseconds().alias("delay_ms")
        # Not sorted here: DuckLake does that as it writes, whatever it is given.
        stored, marks = accepted.select(READINGS.names()[:-1]).with_columns(accepted.select(delay_ms)), marks_of(accepted)
        with self.writer() as cursor:
            if loader is not None and after is not None:
                require_positions(cursor, loader[0], after, backfills)
            if accepted.height:
                cursor.register("incoming", stored.to_arrow())
                cursor.execute(f"INSERT INTO {LAKE}.{TELEMETRY} SELECT * FROM incoming")
                cursor.unregister("incoming")
                add_marks(cursor, marks)
            if loader is not None:
                cursor.execute(f"INSERT INTO {LAKE}.{LOADER_PROGRESS} VALUES (?, ?)", list(loader))

    def loader_position(self, shard: str) -> int:
        """How far the loader of `shard` has come in the landing log; 0 when it never ran."""
        with self.cursor() as cursor:
            return position_of(cursor, shard)

    def existing_keys(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Which of these (device_id, parameter, ts) the lake holds already."""
        asked = keys.select(KEY)
        if not asked.height:
            return asked
        with self.cursor() as cursor:
            cursor.register("asked", asked.to_arrow())
            first, last = asked["ts"].min(), asked["ts"].max()
            return cursor.execute(
                f"SELECT k.device_id, k.parameter, k.ts FROM asked k SEMI JOIN "
                f"(SELECT device_id, parameter, ts FROM {LAKE}.{TELEMETRY} WHERE ts BETWEEN ? AND ?) t USING (device_id, parameter, ts)",
                [first, last],
            ).pl().cast({"device_id": pl.Int32, "ts": UTC_TIME})  # fmt: skip

    def recent_keys(self, watermarks: pl.DataFrame) -> pl.DataFrame:
        """The keys that the lake holds of each device (`device_id`, `complete_from`) from its `complete_from` on."""
        with self.cursor() as cursor:
            cursor.register("devices", watermarks.select("device_id", "complete_from").to_arrow())
            return cursor.execute(
                f"SELECT t.device_id, t.parameter, t.ts FROM {LAKE}.{TELEMETRY} t JOIN devices d USING (device_id) "
                "WHERE t.ts >= d.complete_from AND t.ts >= ?",
                [watermarks["complete_from"].min()],
            ).pl().cast({"device_id": pl.Int32, "ts": UTC_TIME})  # fmt: skip

    def snapshot_id(self) -> int:
        """Number of the newest snapshot: names the state of all data at this moment."""
        with self.cursor() as cursor:
            return int(cursor.execute(f"SELECT max(snapshot_id) FROM __ducklake_metadata_{LAKE}.ducklake_snapshot").fetchall()[0][0])

    def close(self) -> None:
        """Detaches; the next use attaches again."""
        with self._guard:
            root, self._root = self._root, None
        if root is not None:
            root.close()

    def _attached(self) -> duckdb.DuckDBPyConnection:
        root = self._root
        if root is not None:
            return root
        # The write lock first: whoever holds it may need the guard to finish.
        with self._write_lock(), self._guard:
            if self._root is None:
                self._root = self._attach()
            return self._root

    def attach_read_only(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own that can write nothing to the lake and reads no file but the lake's; for people at a shell."""
        if self._embedded and not self._catalog_path.exists():
            raise LakeBusyError(f"there is no lake at {self._catalog_path}; start FactoryOps once", catalog=str(self._catalog_path))
        connection = self._loaded()
        connection.execute(f"ATTACH '{self._address()}' AS {LAKE} (READ_ONLY, DATA_PATH '{self._files}')")
        folders = [self._files, str(self._catalog_path.parent)]
        connection.execute(f"SET allowed_directories = {[folder.rstrip('/') + '/' for folder in folders]}")
        connection.execute("SET enable_external_access = false")
        return connection

    def _loaded(self) -> duckdb.DuckDBPyConnection:
        root = duckdb.connect(config=EXTENSIONS_AS_INSTALLED | self._options)
        needed = ["ducklake", "sqlite_scanner" if self._embedded else "postgres_scanner"]
        if self._files.startswith("s3://"):
            needed.append("httpfs")
        for name in reversed(needed):
            root.execute(f"LOAD '{extension_file(name)}'")
        root.execute("SET TimeZone = 'UTC'")
        if self._secret:
            root.execute(self._secret)
        return root

    def _attach(self) -> duckdb.DuckDBPyConnection:
        root = self._loaded()
        is_new = self._prepare_folder()
        root.execute(f"ATTACH '{self._address()}' AS {LAKE} ({self._attach_options()})")
        if self._upgrade:
            upgrade_tables(root)
        if is_new:
            # In this order: a crash between them makes the next start look at a lake that is complete, and mark it again.
            (self._catalog_path.parent / MARKER).touch()
            self._made.touch()
        if self._embedded:
            self._catalog_inode = self._catalog_path.stat().st_ino
        return root

    def _address(self) -> str:
        target = f"sqlite:{self._catalog_path}" if self._embedded else f"postgres:{self._catalog_url}"
        return "ducklake:" + target.replace("'", "''")

    def _attach_options(self) -> str:
        options = [f"DATA_PATH '{self._files.replace(chr(39), chr(39) * 2)}'", f"DATA_INLINING_ROW_LIMIT {INLINE_ROWS}"]
        if self._embedded:
            options += ["META_JOURNAL_MODE 'WAL'", "META_BUSY_TIMEOUT 10000"]
        return ", ".join(options)

    def _prepare_folder(self) -> bool:
        """True when there is no lake yet and one is to be made: never while the marker beside the home says that there was one."""
        if not self._embedded:
            return False
        folder = self._catalog_path.parent
        if (folder / MARKER).exists():
            return False
        if self._made.exists():
            message = (
                f"the lake's folder {folder} is away (moved or not mounted); put it back, or delete {self._made} to begin an empty one"
            )
            raise LakeBusyError(message, folder=str(folder))
        folder.mkdir(parents=True, exist_ok=True)
        return True

    def _check_in_place(self) -> None:
        """The catalog must still be the file that we opened: an open handle survives a rename, and new files would go astray."""
        if self._embedded and (not self._catalog_path.exists() or self._catalog_path.stat().st_ino != self._catalog_inode):
            raise self._busy(FileNotFoundError(str(self._catalog_path)))

    def _roll_back(self, cursor: duckdb.DuckDBPyConnection) -> None:
        try:
            cursor.execute("ROLLBACK")
        except duckdb.Error as problem:
            log.warning("lake_rollback_failed", problem=str(problem))
        folder = self._catalog_path.parent
        if self._embedded and folder.exists() and not (folder / MARKER).exists() and not self._catalog_path.exists():
            # Only files of the rolled-back transaction can be here; left behind, they would be in the way of the real folder.
            shutil.rmtree(folder)

    def _busy(self, problem: BaseException) -> LakeBusyError:
        self.close()
        message = f"the lake cannot be reached now: {problem}"
        return LakeBusyError(message, catalog=(self._catalog_url and "PostgreSQL") or str(self._catalog_path))

    @contextmanager
    def _write_lock(self) -> Iterator[None]:
        if not self._embedded:
            yield
            return
        self._lock_path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file_lock.acquire()
        except Timeout as waited:
            message = f"another process has been writing to the lake for {WRITE_LOCK_TIMEOUT_S} s"
            raise LakeBusyError(message) from waited
        try:
            yield
        finally:
            self._file_lock.release()


class LakeReader:
    """Reads that cannot leave one factory: its SQL sees the tables without their factory column and others' rows."""

    def __init__(self, lake: Lake, factory_id: int, snapshot_id: int | None = None) -> None:
        self._lake = lake
        self._factory_id = int(factory_id)
        self._sources: dict[str, str] = {}
        self._at = "" if snapshot_id is None else f" AT (VERSION => {int(snapshot_id)})"

    def with_sources(self, sources: dict[str, str]) -> "LakeReader":
        """A reader that takes these tables from relations instead (`warehouse.manifest`), still within its factory."""
        other = LakeReader(self._lake, self._factory_id)
        other._at, other._sources = self._at, sources
        return other

    def query(self, sql: str, parameters: dict[str, Any] | None = None, **frames: pl.DataFrame) -> pl.DataFrame:
        """The result of one SELECT over `telemetry` and `rollup_*`; `frames` can be joined under their names.

        Raises TenancyError for SQL that names the lake itself, LakeBusyError when the lake stays locked or away for 5 s.
        """
        if f"{LAKE}." in sql.lower() or "ducklake" in sql.lower():
            message = "a reader bound to a factory may only use the tables as it sees them"
            raise TenancyError(message, factory_id=self._factory_id)
        again = Retrying(
            retry=retry_if_exception_type(LakeBusyError),
            stop=stop_after_delay(READ_RETRY_S),
            wait=wait_random_exponential(0.02, max=1),
            reraise=True,
        )
        return again(self._query, sql, parameters or {}, frames)

    def _bound(self, sql: str) -> str:
        """The statement with each table it names put in as this factory's part of it.

        As common table expressions, because a view would cost a statement of its own (5 ms) for each; not materialised, so that
        filters still reach the files.
        """
        own = f"SELECT %s FROM %s WHERE factory_id = {self._factory_id}"
        sources = {table: self._sources.get(table, f"{LAKE}.{table}{self._at}") for table in READABLE if table in sql}
        named = ", ".join(f"{table} AS NOT MATERIALIZED ({own % (SHAPES[table].visible, source)})" for table, source in sources.items())
        body = sql.strip()
        if not named:
            return body
        return f"WITH {named}, {body[5:]}" if body[:5].upper() == "WITH " else f"WITH {named} {body}"

    def _query(self, sql: str, parameters: dict[str, Any], frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
        with self._lake.cursor() as cursor:
            for name, frame in frames.items():
                cursor.register(name, frame.to_arrow())
            found = cursor.execute(self._bound(sql), parameters).pl()
        # DuckDB names the zone Etc/UTC, everybody else calls it UTC.
        return found.with_columns(selectors.datetime(time_zone="*").dt.convert_time_zone("UTC"))
