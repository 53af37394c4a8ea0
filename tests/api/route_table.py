"""Who may ask each route of the API: the expected answers of tests/api/test_walk.py. A new route needs a line here."""

from typing import Any

from warehouse.models.people import PERMISSIONS

LEVELS = {
    "open": "anybody",
    "look": "whoever signed in, and keys",
    "person": "whoever signed in, not keys",
    "work": "everybody but viewers",
    **{p: f"who has the permission {p}" for p in PERMISSIONS},
    "super_admin": "super admins",
}
TABLE = {
    "open": """
        GET /factories
        POST /auth/login
        POST /auth/password-reset
        POST /auth/password-reset/confirm
        POST /auth/second-factor
        POST /mqtt/authenticate
        POST /mqtt/authorize
        POST /users/accept-invite
    """,
    "look": """
        GET /alerts
        GET /alerts/quality
        GET /alerts/{alert_id}
        GET /alerts/{alert_id}/history
        GET /analytics/anomalies
        GET /analytics/energy-forecast
        GET /analytics/failure-risks
        GET /analytics/jobs
        GET /analytics/jobs/{job_id}
        GET /analytics/jobs/{job_id}/files/{file_name}
        GET /analytics/jobs/{job_id}/result
        GET /analytics/schedules
        GET /analytics/schedules/{analysis_schedule_id}
        GET /availability/days
        GET /auth/me
        GET /dashboard/summary
        GET /dead-letters
        GET /dead-letters/counts
        GET /dead-letters/{letter_id}
        GET /devices
        GET /devices/{device_id}
        GET /devices/{device_id}/kpis/history
        GET /devices/{device_id}/kpis/live
        GET /devices/{device_id}/maintenance-events
        GET /devices/{device_id}/notes
        GET /devices/{device_id}/parameters
        GET /devices/{device_id}/states
        GET /energy
        GET /energy/days
        GET /energy/indicators
        GET /escalation-chains
        GET /escalation-chains/{chain_id}
        GET /events
        GET /factory
        GET /health/history
        GET /maintenance-events
        GET /notification-preferences
        PUT /notification-preferences
        GET /oee/days
        GET /report-schedules
        GET /report-schedules/{schedule_id}
        GET /reports
        GET /reports/{report_id}
        GET /reports/{report_id}/download
        GET /reports/{report_id}/files/{kind}
        POST /reports/verify
        GET /rules
        GET /rules/{rule_id}
        POST /rules/{rule_id}/backtest
        GET /rules/{rule_id}/lint
        POST /rules/lint
        GET /silences
        GET /silences/{silence_id}
        GET /telemetry/export
    """,
    "person": """
        GET /api-keys
        POST /api-keys
        DELETE /api-keys/{key_id}
        POST /auth/logout
        POST /auth/password
        POST /auth/refresh
        GET /second-factor
        POST /second-factor
        POST /second-factor/confirm
        POST /second-factor/off
        POST /second-factor/recovery-codes
        GET /sessions
        DELETE /sessions/{session_id}
    """,
    "work": """
        PATCH /alerts/{alert_id}/acknowledge
        PATCH /alerts/{alert_id}/assign
        POST /alerts/{alert_id}/comments
        PATCH /alerts/{alert_id}/resolve
        POST /dead-letters/purge
        POST /dead-letters/replay
        POST /devices
        DELETE /devices/{device_id}
        PATCH /devices/{device_id}
        DELETE /devices/{device_id}/key
        POST /devices/{device_id}/key
        PATCH /devices/{device_id}/parameters/{parameter_id}
        POST /devices/{device_id}/replay
        POST /escalation-chains
        DELETE /escalation-chains/{chain_id}
        PUT /escalation-chains/{chain_id}
        GET /outbox/undelivered
        POST /outbox/{message_id}/resend
        POST /reports/{report_id}/signatures
        POST /silences
        DELETE /silences/{silence_id}
        PATCH /silences/{silence_id}
        PUT /silences/{silence_id}
        GET /webhooks
        POST /webhooks
        DELETE /webhooks/{webhook_id}
        PATCH /webhooks/{webhook_id}
    """,
    "create_rules": """
        POST /rules
        DELETE /rules/{rule_id}
        PATCH /rules/{rule_id}
        PATCH /rules/{rule_id}/toggle
    """,
    "run_analytics": """
        POST /analytics/ask
        POST /analytics/jobs
        DELETE /analytics/jobs/{job_id}
        POST /analytics/jobs/{job_id}/cancel
        POST /analytics/schedules
        DELETE /analytics/schedules/{analysis_schedule_id}
        PATCH /analytics/schedules/{analysis_schedule_id}
    """,
    "generate_reports": """
        POST /report-schedules
        DELETE /report-schedules/{schedule_id}
        PATCH /report-schedules/{schedule_id}
        POST /reports
        DELETE /reports/logo
        PUT /reports/logo
        POST /reports/preview
        DELETE /reports/{report_id}
    """,
    "manage_users": """
        GET /audit
        GET /audit/export
        GET /audit/verify
    """,
    "super_admin": """
        PATCH /factory
        GET /users
        POST /users/invite
        DELETE /users/{user_id}
        PATCH /users/{user_id}/permissions
        POST /users/{user_id}/reactivate
        DELETE /users/{user_id}/second-factor
    """,
}
EXPECTED = {line.strip(): level for level, lines in TABLE.items() for line in lines.strip().splitlines()}
# A body that is right in every other way, for routes that would otherwise stop at what is missing in it.
TREE = {"operator": "AND", "conditions": [{"parameter": "power", "operator": "gt", "threshold": 1}]}
BODIES: dict[str, dict[str, Any]] = {
    "POST /alerts/{alert_id}/comments": {"comment": "x"},
    "PATCH /alerts/{alert_id}/assign": {"assignee_id": None},
    "PATCH /analytics/schedules/{analysis_schedule_id}": {"is_active": False},
    "PATCH /devices/{device_id}": {"name": "x"},
    "PATCH /devices/{device_id}/parameters/{parameter_id}": {"unit": "W"},
    "PATCH /factory": {"shifts": None},
    "PUT /escalation-chains/{chain_id}": {"name": "x", "steps": [], "reminder_every_minutes": 5},
    "PATCH /report-schedules/{schedule_id}": {"is_active": False},
    "POST /reports/{report_id}/signatures": {"password": "x", "meaning": "reviewed"},
    "PATCH /rules/{rule_id}": {"name": "x"},
    "POST /rules/{rule_id}/backtest": {"since": "2026-01-05T07:00:00Z", "until": "2026-01-05T08:00:00Z"},
    "PATCH /silences/{silence_id}": {"ends_at": "2099-01-01T00:00:00Z"},
    "PUT /silences/{silence_id}": {"reason": "x", "ends_at": "2099-01-01T00:00:00Z"},
    "PATCH /webhooks/{webhook_id}": {"is_active": True},
    "PATCH /users/{user_id}/permissions": {"permissions": {}},
}
QUERIES = {
    "GET /devices/{device_id}/kpis/history": {"parameter": "power", "start": "2026-01-05T07:00:00Z", "end": "2026-01-05T08:00:00Z"},
    "DELETE /users/{user_id}/second-factor": {"reason": "lost"},
    "GET /devices/{device_id}/maintenance-events": {"start": "2026-01-05T07:00:00Z", "end": "2026-01-05T08:00:00Z"},
    "GET /devices/{device_id}/states": {"start": "2026-01-05T07:00:00Z", "end": "2026-01-05T08:00:00Z"},
}
NEVER_WAS = dict.fromkeys(("report_id", "job_id", "analysis_schedule_id"), "00000000-0000-4000-8000-000000000000") | {
    "session_id": "0" * 64,
    "file_name": "never.json",
}
