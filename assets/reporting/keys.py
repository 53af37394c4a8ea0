"""Keys that seal reports: a certificate authority of the installation and a signing key, in files that only their owner may read."""

import datetime as dt
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from warehouse.clock import Clock
from warehouse.errors import PermanentError
from warehouse.settings import Settings

AUTHORITY_YEARS: Final = 20
SIGNER_YEARS: Final = 5
DAYS_A_YEAR: Final = 365


class KeysError(PermanentError):
    """There are no keys, or there are some already; the message says what to do."""


@dataclass(frozen=True)
class KeyFiles:
    """Where an installation's keys are."""

    folder: Path

    @property
    def authority(self) -> Path:
        """Certificate of the authority, the only file to hand to auditors."""
        return self.folder / "authority.crt.pem"

    @property
    def authorities(self) -> list[Path]:
        """Every certificate that verification trusts: `authority*.crt.pem`, so that earlier ones and that of a token can stand beside."""
        return sorted(self.folder.glob("authority*.crt.pem"))

    @property
    def authority_key(self) -> Path:
        """Key of the authority: keep it offline; it is needed only to make the next signing key."""
        return self.folder / "authority.key.pem"

    @property
    def certificate(self) -> Path:
        """Certificate of the signing key."""
        return self.folder / "signing.crt.pem"

    @property
    def key(self) -> Path:
        """The signing key itself."""
        return self.folder / "signing.key.pem"

    @property
    def exist(self) -> bool:
        """Whether reports can be signed."""
        return self.key.exists() and self.certificate.exists()


def key_files(settings: Settings) -> KeyFiles:
    """The keys of this installation: REPORT_KEYS_PATH, or a folder in FACTORYOPS_HOME."""
    return KeyFiles(Path(settings.report_keys_path) if settings.report_keys_path else settings.home / "report-keys")


def create_keys(files: KeyFiles, clock: Clock, organisation: str) -> None:
    """Makes an authority and a signing key (ECDSA P-256). Raises KeysError when there are keys already: they are never replaced."""
    if files.exist or files.authority.exists():
        raise KeysError(f"there are keys in {files.folder} already; move them away first, and keep them: old reports verify with them")
    files.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = clock.now()
    authority_key, signing_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name(organisation, "FactoryOps report authority")
    authority = _authority(authority_key, issuer, now)
    subject = _name(organisation, "FactoryOps reporting service")
    signer = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(signing_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=DAYS_A_YEAR * SIGNER_YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=True, certify=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(signing_key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write(files.authority_key, _pem(authority_key), 0o600)
    _write(files.authority, authority.public_bytes(serialization.Encoding.PEM), 0o644)
    _write(files.certificate, signer.public_bytes(serialization.Encoding.PEM), 0o644)
    _write(files.key, _pem(signing_key), 0o600)


def ensure_keys(settings: Settings, clock: Clock) -> KeyFiles | None:
    """The keys; outside production they are made when first needed. None in production without keys: reports stay unsigned."""
    files = key_files(settings)
    if files.exist:
        return files
    if settings.app_env == "production":
        return None
    create_keys(files, clock, "FactoryOps")
    return files


def _authority(key: ec.EllipticCurvePrivateKey, name: x509.Name, now: dt.datetime) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=DAYS_A_YEAR * AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=False, certify=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _usage(*, sign: bool, certify: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign, content_commitment=sign, key_cert_sign=certify, crl_sign=certify, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _name(organisation: str, common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:64]), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, content: bytes, mode: int) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    draft.replace(path)
