"""The drills by name, each with the tests that carry it out; docs/operations/runbook.md has a section for each."""

from typing import Final

DRILLS: Final = {
    "rolling-restart": ("tests/drills/test_drills.py::test_rolling_restart_and_broker_outage",),
    "postgresql-restart": ("tests/ingest/test_database_away.py::test_messages_wait_and_are_all_there_afterwards",),
    "s3-outage": ("tests/ingest/test_lake_away.py::test_ingest_goes_on_and_history_catches_up",),
    "broker-outage": ("tests/drills/test_drills.py::test_rolling_restart_and_broker_outage",),
    "full-disk": ("tests/ingest/test_admission.py::test_messages_wait_in_the_broker_until_there_is_room",),
    "clock-jump": ("tests/drills/test_drills.py::test_clock_jump",),
    "daemon-dead": (
        "tests/drills/test_drills.py::test_daemon_dead",
        "tests/rules/test_crash_recovery.py::test_the_standby_takes_over_only_when_the_lease_stays_free",
    ),
    "evaluator-killed": ("tests/rules/test_shards.py::test_two_processes_share_the_work_and_one_takes_over_when_the_other_is_killed",),
}
