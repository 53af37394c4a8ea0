"""dlt carries every batch source: resource -> extracted, typed -> Parquet files in a folder of the run, which is gone afterwards.

A run keeps no state: whoever takes the rows over (`warehouse.staged`, `warehouse.upkeep`) makes a second run change nothing, so a run that
was killed is simply done again.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.destinations import filesystem
from dlt.pipeline.exceptions import PipelineStepFailed

from warehouse.errors import FactoryOpsError, PermanentError
from warehouse.settings import Settings

DATASET: Final = "staged"


@contextmanager
def carried(settings: Settings, name: str, resource: Any) -> Iterator[list[Path]]:
    """Runs a dlt resource or source and gives the Parquet files of its table `name`; they are deleted at the end.

    No files when it yields nothing. Raises the source's own FactoryOpsError, PermanentError with the cause for anything else.
    """
    folder = _folder(settings)
    try:
        # Nothing leaves the plant: no usage figures, whatever a configuration file nearby says.
        dlt.config["runtime.dlthub_telemetry"] = False
        dlt.config["runtime.log_level"] = "CRITICAL"
        pipeline = dlt.pipeline(
            pipeline_name=f"factoryops_{name}",
            pipelines_dir=str(folder / "work"),
            destination=filesystem(bucket_url=str(folder / "out")),
            dataset_name=DATASET,
        )
        _run(pipeline, name, resource)
        yield sorted((folder / "out" / DATASET / name).glob("*.parquet"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(pipeline: Any, name: str, resource: Any) -> None:
    try:
        pipeline.run(resource, table_name=name, loader_file_format="parquet")
    except PipelineStepFailed as failed:
        ours: BaseException | None = failed
        while ours is not None and not isinstance(ours, FactoryOpsError):
            ours = ours.__cause__ or ours.__context__
        if ours is not None:
            raise ours from failed
        cause = failed.exception
        raise PermanentError(f"the source could not be read: {cause}", step=failed.step) from failed


def _folder(settings: Settings) -> Path:
    parent = settings.home / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="carried-", dir=parent))
