"""Asks Dagster to do an ordered piece of work now. Only a shortcut: what is not taken here is found by a backstop sensor within seconds."""

import json
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

import structlog

from warehouse.settings import Settings

TIMEOUT_S: Final = 2.0
LONGEST_RUN_S: Final = 3600
"""Dagster stops a run that takes longer; its row is then found lost."""
_LAUNCH: Final = """
mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }
"""
log = structlog.get_logger()


@dataclass(frozen=True)
class Work:
    """A kind of ordered work: Dagster's job with one op, which is given the id of a row."""

    job: str
    op: str
    key: str
    """Name of the op's configuration field with the id."""

    def run_config(self, row_id: str) -> dict[str, Any]:
        """The configuration of a run for one row."""
        return {"ops": {self.op: {"config": {self.key: row_id}}}}

    def tags(self, row_id: str) -> dict[str, str]:
        """By these a run is found in the UI, and stopped when it hangs."""
        return {f"factoryops/{self.job}": row_id, "dagster/max_runtime": str(LONGEST_RUN_S)}


REPORT: Final = Work("report", "make_report", "report_id")
ANALYSIS: Final = Work("analysis", "make_analysis", "job_id")


def launch_variables(work: Work, row_id: str) -> dict[str, Any]:
    """The variables of the mutation; pure."""
    selector = {"repositoryLocationName": "factoryops", "repositoryName": "__repository__", "jobName": work.job}
    tags = [{"key": key, "value": value} for key, value in work.tags(row_id).items()]
    return {"params": {"selector": selector, "runConfigData": work.run_config(row_id), "executionMetadata": {"tags": tags}}}


def launch(settings: Settings, work: Work, row_id: str) -> bool:
    """True when Dagster took the run; False when it is not there, which is no error."""
    body = json.dumps({"query": _LAUNCH, "variables": launch_variables(work, row_id)}).encode()
    request = urllib.request.Request(  # http or nothing: the host is ours
        f"http://{settings.dagster_host}:{settings.dagster_port}/graphql", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  # as above
            found = json.load(answer)
    except (OSError, ValueError) as away:
        log.info("left_to_the_sensor", work=work.job, row_id=row_id, problem=str(away))
        return False
    kind = ((found.get("data") or {}).get("launchRun") or {}).get("__typename")
    if kind != "LaunchRunSuccess":
        log.warning("not_launched", work=work.job, row_id=row_id, answer=str(found)[:500])
    return bool(kind == "LaunchRunSuccess")
