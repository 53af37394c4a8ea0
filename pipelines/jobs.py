"""Jobs that keep the house in order."""

from datetime import timedelta

import dagster as dg

from warehouse.analysis_retention import expire_results
from warehouse.housekeeping import KEEP_RAISES_FOR, delete_dead_letters, delete_ended_sessions, delete_old_raises, trim_landing
from warehouse.installation import Installation
from warehouse.maintenance import maintain
from warehouse.retention import pinned_snapshots, retention


@dg.op(out=dg.Out(dg.Nothing), description="Retention of raw readings, compaction of files, expiry of snapshots by explicit versions.")
def maintain_lake(context: dg.OpExecutionContext, installation: dg.ResourceParam[Installation]) -> None:
    """Shows what was done as metadata."""
    kept = timedelta(days=installation.settings.raw_retention_days)
    pinned, own = pinned_snapshots(installation.db), retention(installation.db, installation.settings.raw_retention_days)
    done = maintain(installation.lake, installation.clock.now(), kept, pinned, own)
    context.add_output_metadata(
        {name: getattr(done, name) for name in ("files_before", "files_after", "rows_expired", "snapshots_expired", "orphans")}
        | {"snapshots_pinned": len(pinned)}
    )


@dg.op(
    out=dg.Out(dg.Nothing),
    description="Deletes landed batches that every consumer has passed, sign-ins that have ended, old dead letters, old moments of alerts.",
)
def tidy_database(context: dg.OpExecutionContext, installation: dg.ResourceParam[Installation]) -> None:
    """Shows what was done as metadata."""
    # Only here: every run loads these definitions, and these bring NumPy, metrics and the drivers of databases: 0.3 s.
    from ingest.loader import SHARD  # noqa: PLC0415  # as said above
    from rules.evaluator import CONSUMER  # noqa: PLC0415  # as said above

    now = installation.clock.now()
    landed_before = now - timedelta(minutes=installation.settings.landing_keep_minutes)
    batches = trim_landing(installation.db, installation.lake, landed_before, [CONSUMER], SHARD)
    sessions = delete_ended_sessions(installation.db, now)
    letters = delete_dead_letters(installation.db, now - timedelta(days=installation.settings.raw_retention_days))
    raises = delete_old_raises(installation.db, now - KEEP_RAISES_FOR)
    context.add_output_metadata(
        {"batches_deleted": batches, "sessions_deleted": sessions, "dead_letters_deleted": letters, "raises_deleted": raises}
    )


@dg.op(out=dg.Out(dg.Nothing), description="Deletes the files of analyses whose time is over; their rows stay.")
def expire_analyses(context: dg.OpExecutionContext, installation: dg.ResourceParam[Installation]) -> None:
    """Shows how many."""
    expired = expire_results(installation.db, installation.settings, installation.clock)
    context.add_output_metadata({"analyses_expired": expired})


@dg.job(
    executor_def=dg.in_process_executor, description="Retention, compaction, snapshot expiry, landing log, ended sign-ins, old results."
)
def maintenance() -> None:
    """Three steps that do not need each other: one may fail without the others."""
    maintain_lake()
    tidy_database()
    expire_analyses()


@dg.op(out=dg.Out(dg.Nothing), description="Adds a backup of everything to BACKUP_URL; only what is new is written.")
def back_up_everything(context: dg.OpExecutionContext, installation: dg.ResourceParam[Installation]) -> None:
    """Does nothing while no place for backups is set."""
    from warehouse.backup import back_up  # noqa: PLC0415  # as above

    target = installation.settings.backup_url
    if not target:
        context.log.warning("BACKUP_URL is empty: no backup is made. Name a folder on another disk, or an object store")
        return
    done = back_up(installation.settings, installation.lake, target, installation.clock.now())
    context.add_output_metadata({name: getattr(done, name) for name in ("name", "files", "bytes", "new_files", "new_bytes")})


@dg.job(executor_def=dg.in_process_executor, description="Backs everything up to BACKUP_URL.")
def backup() -> None:
    """One step."""
    back_up_everything()


JOBS = [maintenance, backup]
