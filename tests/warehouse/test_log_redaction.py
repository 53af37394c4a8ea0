"""No secret gets into a log, whoever logs it."""

import json
import logging

import pytest
import structlog

from warehouse import logs
from warehouse.redaction import HIDDEN, redacted, redacted_text
from warehouse.settings import Settings

SECRET = "Xq7-very-secret-9Zz"
TOKEN = f"eyJhbGciOiJIUzI1NiJ9.{'eyJzdWIiOiI0MiJ9'}.{SECRET}"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"asked with fok_{SECRET}",
        f"token {TOKEN} was refused",
        f"cannot connect to postgresql+psycopg://factoryops:{SECRET}@db:5432/x",
        f"GET /reports?X-Amz-Signature={SECRET}&x=1",
        f"password={SECRET}",
        f"https://plant.example/session/new-password#{SECRET}",
    ],
)
def test_what_looks_like_a_secret_is_hidden_in_any_text(text: str) -> None:
    assert SECRET not in redacted_text(text)
    assert HIDDEN in redacted_text(text)


@pytest.mark.parametrize(
    "name", ["password", "new_password", "smtp_password", "access_token", "Authorization", "cookie", "api_key", "secret", "code"]
)
def test_what_is_called_a_secret_is_hidden_whatever_it_is(name: str) -> None:
    assert redacted({"who": "x", "deep": [{name: SECRET}]}) == {"who": "x", "deep": [{name: HIDDEN}]}
    assert redacted({name: [SECRET]}) == {name: HIDDEN}


def test_everything_else_stays_as_it_is() -> None:
    event = {
        "event": "alert_raised",
        "device_key": "M01",
        "api_key_id": 3,
        "tokens": 812,
        "status_code": 200,
        "token": None,
        "url": "https://plant.example/a#b",
    }
    assert redacted(event) == event


@pytest.mark.parametrize("log_json", [True, False])
def test_neither_lines_nor_tracebacks_hold_a_secret(capsys: pytest.CaptureFixture[str], settings: Settings, *, log_json: bool) -> None:
    # pytest's own handlers came after the fixtures.
    logging.getLogger().handlers.clear()
    logs.configure_logs(settings.model_copy(update={"log_json": log_json, "log_level": "INFO"}))
    password = SECRET
    try:
        message = f"cannot open smtp://relay:{password}@mail"
        raise ValueError(message)  # to be logged with its traceback
    except ValueError:
        structlog.get_logger().exception("mail_failed", password=password, hint=f"Bearer {password}")
        logging.getLogger("urllib3").exception("retrying smtp://relay:%s@mail", password)
    said = capsys.readouterr().err
    assert "mail_failed" in said
    assert "retrying" in said
    assert "Traceback" in said
    assert SECRET not in said
    if log_json:
        assert json.loads(said.splitlines()[0])["password"] == HIDDEN
