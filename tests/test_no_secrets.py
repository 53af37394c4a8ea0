"""No secret and no default password is in the repository, in any of the forms in which they usually get there."""

import re

import pytest
from pydantic import SecretStr

from tests import house
from warehouse.settings import Settings

NAME = r"(?:pass(?:word|wd|phrase)?|secret(?:_?key)?|(?:api|access|auth|private)[_-]?(?:key|token)|token)"
# Attributes of a sign-in page's fields.
HTML_WORDS = "autofocus|current-password|new-password|required"
FORMS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "a key of a cloud or of a service": re.compile(
        r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{10,}|sk_live_[A-Za-z0-9]{16,}|SK[0-9a-f]{32}|AC[0-9a-f]{32})\b"
    ),
    "a signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
    "a password in an address": re.compile(r"://(?!user:password@)[\w.-]+:(?!\$|\{|<|%)[^\s:/@'\"`{}]{3,}@"),
    "a password that everybody knows": re.compile(r"(?i)\b(?:change[-_]?me|p[a4]ssw0rd|password1?23|admin1?23|letmein|hunter2)\b"),
}
# Quoted in code, bare in .env files, YAML and compose files; a reference ($NAME, ${NAME}, {name}, <name>) or nothing is fine.
VALUES = {
    "a password in code": re.compile(
        rf"(?i)\b[a-z_]*{NAME}[\"']?\s*(?::\s*\w+\s*)?[=:]\s*[\"'](?![\"'])(?!\$|\{{|<|%)(?!{HTML_WORDS})[^\s\"']{{6,}}[\"']"
    ),
    "a password in a configuration": re.compile(
        rf"(?im)^\s*(?:-\s*)?#?\s*[a-z_]*{NAME}\s*[=:]\s*(?![\"']?(?:\$|\{{|<|%|!|\*))[^\s#\"']{{6,}}\s*$"
    ),
}
# Somebody looked at the line and gave the reason; tests/test_architecture.py sees to the reason.
LOOKED_AT = re.compile(r"# noqa: [A-Z0-9, ]*S10[567]")
CONFIGURATION = (".env", ".example", ".yaml", ".yml", ".toml", ".ini", ".conf", ".cfg", ".json", ".properties")


def secrets_in(name: str, text: str) -> list[str]:
    """What a text holds that looks like a secret, with the line. Values in tests guard nothing and are let pass."""
    forms = dict(FORMS)
    if not name.startswith("tests/"):
        if name.endswith(".py"):
            forms["a password in code"] = VALUES["a password in code"]
        if name.endswith(CONFIGURATION):
            forms["a password in a configuration"] = VALUES["a password in a configuration"]
    return [
        f"{form}: {line}" for form, pattern in forms.items() for line in house.lines_matching(pattern, text) if not LOOKED_AT.search(line)
    ]


def test_no_secret_is_in_the_repository() -> None:
    ours = "tests/test_no_secrets.py"
    found = {name: secrets for name, text in house.tracked_texts() if name != ours and (secrets := secrets_in(name, text))}
    assert found == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deploy/key.pem", "-----BEGIN RSA PRIVATE KEY-----"),
        ("a.py", "KEY = 'AKIAIOSFODNN7EXAMPLE'"),
        ("a.md", "postgresql://admin:s3cret@host/db"),
        ("a.md", "sign in with admin and changeme"),
        ("a.py", "smtp_password: str = 'not-a-good-idea'"),
        ("a.py", "connect(password='not-a-good-idea')"),
        ("a.yaml", "  POSTGRES_PASSWORD: factoryops"),
        (".env.example", "# JWT_SECRET_KEY=0123456789abcdef0123456789abcdef"),
    ],
)
def test_a_secret_is_found(name: str, text: str) -> None:
    assert secrets_in(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "`postgresql+psycopg://user:password@host/database`"),
        ("a.yaml", "  POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?set it in .env}"),
        (".env.example", "# SMTP_PASSWORD="),
        ("a.py", 'smtp_password: SecretStr = SecretStr("")'),
        ("a.py", 'url = f"postgresql://{user}:{password}@{host}"'),
        ("a.py", "password = generate_password()"),
        ("a.py", "INGESTER_SECRET = 'mqtt_ingester'  # noqa: S105 - the name of a secret"),
    ],
)
def test_a_reference_to_a_secret_is_let_pass(name: str, text: str) -> None:
    assert secrets_in(name, text) == []


def test_no_secret_setting_has_a_default() -> None:
    secrets = {name: field.default for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    assert {name for name, default in secrets.items() if default.get_secret_value()} == set()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_setting_named_like_a_secret_is_kept_as_one(name: str) -> None:
    # A PKCS#11 token is a device; its name is written on it.
    if re.search(r"(?:password|secret|(?<!pkcs11_)token)", name):
        assert Settings.model_fields[name].annotation is SecretStr, "a SecretStr does not show itself in logs and tracebacks"
