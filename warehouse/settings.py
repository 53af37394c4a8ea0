"""The one place that reads the environment. Every setting has its unit in its name and a docstring that says what it does."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from warehouse.errors import SettingsError

SHORTEST_SECRET = 32


class Settings(BaseSettings):
    """All settings, frozen. `Settings.load()` is how a process gets them; tests build one with keyword arguments."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_file=".env", env_file_encoding="utf-8", use_attribute_docstrings=True
    )

    app_env: Literal["development", "demo", "production"] = "development"
    """`production` refuses to start without its secrets; `demo` and `development` generate their own in FACTORYOPS_HOME."""
    app_url: str = "http://127.0.0.1:8080"
    """Address under which people reach the dashboards; links in mails start with it."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe level that is logged."""
    log_json: bool = False
    """One JSON object a line instead of coloured text, for log collectors."""
    otlp_endpoint: str = ""
    """Address of an OpenTelemetry collector (OTLP over HTTP), such as http://collector:4318; empty: nothing is traced."""

    factoryops_home: Path = Path(".factoryops")
    """Folder that holds everything of an embedded installation: database, lake, files, broker state, Dagster state."""
    database_url: str = ""
    """Operational database: empty means SQLite in FACTORYOPS_HOME; or `postgresql+psycopg://user:password@host/database`."""
    lake_catalog_url: str = ""
    """Catalog of the lake: empty means SQLite in FACTORYOPS_HOME; or `postgresql://user:password@host/database`."""
    lake_data_path: str = ""
    """Where the lake's Parquet files live: empty means a folder in FACTORYOPS_HOME; or `s3://bucket/prefix`."""
    object_store_url: str = ""
    """Where reports, job results and backups live: empty means a folder in FACTORYOPS_HOME; or an fsspec address such as `s3://bucket/prefix`."""
    s3_endpoint_url: str = ""
    """Address of an S3-compatible store, such as `https://minio.example:9000`; empty means Amazon's."""
    s3_public_endpoint_url: str = ""
    """Where browsers reach the store of S3_ENDPOINT_URL, for links to files; empty means that such files go through FactoryOps."""
    s3_region: str = "us-east-1"
    """Region of the buckets."""
    s3_access_key_id: str = ""
    """Key id for `s3://` addresses of LAKE_DATA_PATH and OBJECT_STORE_URL."""
    s3_secret_access_key: SecretStr = SecretStr("")
    """Secret that belongs to S3_ACCESS_KEY_ID."""

    backup_url: str = ""
    """Where the nightly backup goes: a folder on another disk, or an fsspec address; empty means that none is made."""

    web_host: str = "127.0.0.1"
    """Address that the dashboards and the REST API listen on."""
    web_port: int = Field(default=8080, ge=0, le=65535)
    """Port of the dashboards and the REST API."""
    web_trusted_proxies: str = "127.0.0.1"
    """Addresses or networks, separated by commas, of proxies whose word for a client's address is taken, as in X-Forwarded-For."""
    dagster_port: int = Field(default=3070, ge=0, le=65535)
    """Port of the Dagster UI."""
    dagster_host: str = "127.0.0.1"
    """Where the other processes reach the Dagster UI, to have ordered work begin at once."""
    dagster_code_host: str = "127.0.0.1"
    """Where Dagster's daemon and UI reach our code server."""
    dagster_code_port: int = Field(default=3071, ge=1, le=65535)
    """Port of our code server."""
    dagster_database_url: str = ""
    """Dagster's own state: empty means SQLite in FACTORYOPS_HOME; or `postgresql://user:password@host/database`."""

    mqtt_broker_host: str = ""
    """Broker to connect to; empty means that `factoryops up` starts one itself."""
    mqtt_broker_port: int = Field(default=1883, ge=0, le=65535)
    """Port of the broker, also of the one that `factoryops up` starts."""
    mqtt_listen_host: str = "127.0.0.1"
    """Address that the broker which `factoryops up` starts listens on; `0.0.0.0` lets machines of the plant in."""
    mqtt_username: str = ""
    """User of the ingester at a broker of your own; generated for the broker that `factoryops up` starts."""
    mqtt_password: SecretStr = SecretStr("")
    """Password of the ingester at a broker of your own."""
    mqtt_client_id: str = "factoryops-ingest"
    """Client id of the ingester; the broker keeps its session under this name, so two ingesters need two."""
    mqtt_shared_group: str = ""
    """Name under which several ingesters share the messages (MQTT 5 shared subscription); empty means that this one alone gets all."""
    mqtt_tls_certificate: str = ""
    """Certificate (PEM, with its chain) for the broker that `factoryops up` starts. With it only TLS is spoken beyond 127.0.0.1."""
    mqtt_tls_key: str = ""
    """Private key (PEM) that belongs to MQTT_TLS_CERTIFICATE."""
    mqtt_tls_port: int = Field(default=8883, ge=0, le=65535)
    """Port of the broker that `factoryops up` starts for connections with TLS."""
    mqtt_auth_secret: SecretStr = SecretStr("")
    """What EMQX sends as bearer token when it asks who may sign in (`/api/v1/mqtt/...`); empty means that nobody is answered yes."""
    device_messages_per_second: float = Field(default=1000, ge=0)
    """Most messages a second of one device, averaged over ten minutes, for each ingester; the rest is dropped and counted. 0: no limit."""

    jwt_secret_key: SecretStr = SecretStr("")
    """Key that signs session and API tokens, at least 32 random characters. Required in production; otherwise generated once."""
    jwt_secret_key_previous: SecretStr = SecretStr("")
    """The key before, while JWT_SECRET_KEY is being replaced: what it signed stays good until this is emptied again."""
    jwt_expiry_hours: float = Field(default=24, gt=0, le=24 * 30)
    """Lifetime of a sign-in, in hours; programs may refresh theirs before that."""
    session_lifetime_hours: float = Field(default=24 * 7, gt=0, le=24 * 365)
    """A sign-in that is refreshed again and again ends after this many hours nonetheless."""
    session_idle_timeout_hours: float = Field(default=8, gt=0)
    """A sign-in that was not used for this long ends, in hours."""
    invitation_hours: float = Field(default=72, gt=0)
    """How long the link of an invitation works, in hours."""
    reset_link_minutes: float = Field(default=30, gt=0)
    """How long a link to a new password works, in minutes."""
    api_requests_per_minute: int = Field(default=100, ge=0)
    """Most requests a minute to the REST API from one address, for each web process; 0: no limit."""
    sign_in_requests_per_minute: int = Field(default=10, ge=0)
    """Most tries a minute to sign in, to reset a password or to take up an invitation, by address and web process; 0: no limit."""
    api_body_max_kb: int = Field(default=1024, ge=1)
    """Largest body of a request to the REST API, in kB."""
    oidc_issuer: str = ""
    """Address of an OpenID Connect identity provider, such as `https://login.example/realms/plant`; empty means no sign-in through one."""
    oidc_client_id: str = ""
    """Name under which the identity provider knows FactoryOps."""
    oidc_client_secret: SecretStr = SecretStr("")
    """Secret that belongs to OIDC_CLIENT_ID. The address to register there is APP_URL followed by `/session/oidc/callback`."""
    oidc_label: str = "company account"
    """What the button on the sign-in page calls the identity provider."""

    smtp_host: str = ""
    """Mail server; empty means that mails are written as .eml files to FACTORYOPS_HOME/mail."""
    smtp_port: int = Field(default=587, ge=0, le=65535)
    """Port of the mail server."""
    smtp_user: str = ""
    """User at the mail server; empty means no sign-in."""
    smtp_password: SecretStr = SecretStr("")
    """Password at the mail server."""
    smtp_from: str = "noreply@factoryops.local"
    """Sender of every mail."""
    smtp_starttls: bool = True
    """Whether to encrypt the connection to the mail server with STARTTLS when SMTP_USER is set."""
    twilio_account_sid: str = ""
    """Twilio account for WhatsApp messages; empty means that none are sent."""
    twilio_auth_token: SecretStr = SecretStr("")
    """Token of the Twilio account."""
    twilio_whatsapp_from: str = ""
    """Sender number of WhatsApp messages, such as `+14155238886`."""
    notification_limit_per_10_minutes: int = Field(default=60, ge=0)
    """Messages to one mail address or number within ten minutes; what is more comes together, once a minute. 0: no limit."""

    landing_commit_spacing_ms: int = Field(default=20, ge=0)
    """Least time between two commits of the ingester, in milliseconds: a busy plant batches by itself, a quiet one waits for nothing."""
    landing_keep_minutes: float = Field(default=60, ge=1)
    """Landed batches stay at least this long, even when every consumer has passed them."""
    landing_max_mb: int = Field(default=20_000, ge=1)
    """Most that the landing log may hold, in MB. Past it the ingester takes nothing more, and messages wait in the broker."""
    disk_floor_mb: int = Field(default=500, ge=0)
    """Free space on the disk of FACTORYOPS_HOME, in MB, below which nothing is landed and nothing loaded into the lake."""
    loader_interval_ms: int = Field(default=1000, ge=10)
    """Pause between two loads into the lake, in milliseconds."""
    evaluator_poll_ms: int = Field(default=20, ge=1)
    """How often the rule evaluator looks for new batches, in milliseconds."""
    raw_retention_days: int = Field(default=30, ge=1)
    """Raw readings older than this are removed from the lake by the maintenance job."""
    offline_after_minutes: float = Field(default=5, gt=0)
    """A device that was silent for this long counts as offline."""
    stale_after_seconds: float = Field(default=300, gt=0)
    """A live value older than this, and than three times its machine's usual interval, is shown as stale."""

    llm_base_url: str = ""
    """Server of a language model that speaks the OpenAI protocol, such as `http://127.0.0.1:11434/v1`; empty means that none is asked."""
    llm_api_key: SecretStr = SecretStr("")
    """Key for that server; empty for one that needs none."""
    llm_model: str = ""
    """Name of the model there; it must be able to call tools."""
    llm_timeout_seconds: float = Field(default=60, gt=0, le=300)
    """Longest that the answer to one question may take, in seconds."""

    report_retention_days: int = Field(default=30, ge=1)
    """Files of finished reports are deleted after this many days."""
    compliance_retention_days: int = Field(default=7 * 365 + 2, ge=1)
    """Files of compliance reports, and the state of the lake they were made from, are kept for this many days: 7 years."""
    analysis_retention_days: int = Field(default=90, ge=1)
    """Files of finished analyses are deleted after this many days; their sentence, and what they found in the lake, stay."""
    report_time_limit_seconds: float = Field(default=300, gt=0)
    """The making of one report is stopped after this long."""
    report_keys_path: str = ""
    """Folder of the keys that sign reports: empty means a folder in FACTORYOPS_HOME; `factoryops keys create` makes them."""
    report_pkcs11_library: str = ""
    """PKCS#11 library of a token that holds the signing key; empty means that the key is a file."""
    report_pkcs11_token: str = ""
    """Label of the token."""
    report_pkcs11_key: str = "factoryops"
    """Label of key and certificate on the token."""
    report_pkcs11_pin: SecretStr = SecretStr("")
    """PIN of the token."""

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """The settings of this process from the environment, `.env`, and files of FACTORYOPS_SECRETS (`/run/secrets`).

        Raises SettingsError with one message that lists every wrong or missing setting and where each was looked for.
        """
        # As Docker and Kubernetes mount secrets: a file each, named like the setting. The environment wins over them.
        folder = secrets_folder()
        found: dict[str, object] = {"_secrets_dir": folder} if folder.is_dir() else {}
        try:
            return cls(**found, **overrides)  # type: ignore[arg-type]  # pydantic validates what the overrides hold
        except ValidationError as failed:
            raise _explained(failed) from failed

    @model_validator(mode="after")
    def _production_needs_secrets(self) -> Self:
        secret = self.jwt_secret_key.get_secret_value()
        if secret and len(secret) < SHORTEST_SECRET:
            message = f"JWT_SECRET_KEY has {len(secret)} characters and needs {SHORTEST_SECRET}; `openssl rand -base64 48` makes a good one"
            raise ValueError(message)
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_client_secret.get_secret_value()):
            message = "OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET"
            raise ValueError(message)
        if bool(self.mqtt_tls_certificate) != bool(self.mqtt_tls_key):
            message = "MQTT_TLS_CERTIFICATE and MQTT_TLS_KEY are needed together, or neither"
            raise ValueError(message)
        if self.app_env == "production" and not secret:
            message = "JWT_SECRET_KEY is missing; APP_ENV=production never invents secrets. `openssl rand -base64 48` makes a good one"
            raise ValueError(message)
        return self

    @property
    def home(self) -> Path:
        """FACTORYOPS_HOME as an absolute path."""
        return self.factoryops_home.expanduser().absolute()

    @property
    def operational_url(self) -> str:
        """SQLAlchemy address of the operational database."""
        return self.database_url or f"sqlite:///{self.home / 'factoryops.sqlite'}"

    @property
    def catalog_path(self) -> Path:
        """File of the lake's SQLite catalog; only meaningful while LAKE_CATALOG_URL is empty."""
        return self.home / "lake" / "catalog.sqlite"

    @property
    def lake_files(self) -> str:
        """Folder or s3:// prefix of the lake's Parquet files."""
        return self.lake_data_path or str(self.home / "lake" / "data")

    @property
    def files_url(self) -> str:
        """fsspec address of reports, job results and backups."""
        return self.object_store_url or f"file://{self.home / 'files'}"

    @property
    def mail_folder(self) -> Path:
        """Where mails are written while no SMTP server is configured."""
        return self.home / "mail"


def _explained(failed: ValidationError) -> SettingsError:
    problems = []
    for error in failed.errors():
        name = str(error["loc"][0]).upper() if error["loc"] else ""
        said = error["msg"].removeprefix("Value error, ")
        problems.append(f"{name}: {said}" if name else said)
    lines = "\n".join(f"  - {problem}" for problem in problems)
    looked = f"Looked in the environment, in {Path('.env').absolute()} and in files of {secrets_folder()}."
    return SettingsError(f"These settings are missing or wrong:\n{lines}\n{looked}", problems=problems)


def secrets_folder() -> Path:
    """Where settings may lie as files, one each, named like the setting in small letters: FACTORYOPS_SECRETS, or where Docker puts them."""
    return Path(os.environ.get("FACTORYOPS_SECRETS", "/run/secrets"))


def child_environment(**overrides: str) -> dict[str, str]:
    """The environment for a process that we start: ours, changed by `overrides`. Kept here because only this module may read it."""
    return {**os.environ, **overrides}


def bare_environment(**overrides: str) -> dict[str, str]:
    """The environment for a process that may not see ours: where programs are, the language, and `overrides`; no setting, no secret."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "TZ": "UTC", **overrides}
