"""A seal by a key that never leaves its token: a software token spoken to over PKCS#11, as a smart card or HSM would be."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr

from assets.reporting.keys import create_keys, key_files
from assets.reporting.proof import verify
from assets.reporting.render import render_pdf
from assets.reporting.run import save, seal
from assets.reporting.signing import SigningFailedError
from tests.assets.reporting.conftest import Plant, one_page
from tests.helpers import program_missing, require_program
from warehouse.settings import Settings, child_environment

FACTS = {"run": "RPT-DONGA-1", "snapshot_id": 1, "data_sha256": "0" * 64, "factory": {"name": "North"}}
PIN = "735108"
LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so")
pytestmark = pytest.mark.slow


@pytest.fixture
def plant(empty_plant: Plant) -> Plant:
    """What is tested here needs no readings."""
    return empty_plant


@pytest.fixture
def token(plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation whose signing key is on a token; on disk there is only the authority's certificate."""
    tool = require_program("softhsm2-util", package="softhsm2")
    library = next((path for path in LIBRARIES if Path(path).exists()), None) or program_missing("libsofthsm2.so", package="softhsm2")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    settings = plant.installation.settings.model_copy(
        update={
            "app_env": "production",
            "report_pkcs11_library": library,
            "report_pkcs11_token": "plant",
            "report_pkcs11_pin": SecretStr(PIN),
        }
    )
    files = key_files(settings)
    create_keys(files, plant.installation.clock, "North")
    environment = child_environment()
    ask = [str(tool), "--pin", PIN]
    subprocess.run([*ask, "--init-token", "--free", "--label", "plant", "--so-pin", "8" * 8], check=True, env=environment)
    subprocess.run(
        [*ask, "--import", str(files.key), "--token", "plant", "--label", "factoryops", "--id", "01"], check=True, env=environment
    )
    put_certificate(library, files.certificate)
    files.key.unlink()
    files.certificate.unlink()
    object.__setattr__(plant.installation, "settings", settings)
    return settings


def put_certificate(library: str, path: Path) -> None:
    import pkcs11
    from pkcs11 import Attribute, CertificateType, ObjectClass

    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    with pkcs11.lib(library).get_token(token_label="plant").open(user_pin=PIN, rw=True) as session:  # the label of a token
        session.create_object(
            {
                Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.CERTIFICATE_TYPE: CertificateType.X_509, Attribute.TOKEN: True,
                Attribute.LABEL: "factoryops", Attribute.ID: b"\x01", Attribute.SUBJECT: certificate.subject.public_bytes(),
                Attribute.VALUE: certificate.public_bytes(serialization.Encoding.DER),
            }
        )  # fmt: skip


def test_a_report_is_sealed_by_the_token_and_is_genuine(plant: Plant, token: Settings) -> None:
    assert not key_files(token).exist
    report = plant.order()
    pdf = seal(plant.installation, render_pdf(one_page()), FACTS)
    assert pdf is not None
    save(plant.installation, report, {"pdf": pdf}, "report.made", {}, FACTS)
    found = verify(plant.installation, 1, pdf)
    assert (found.verdict, "reporting service" in found.signer) == ("genuine", True)


def test_a_wrong_pin_is_told_without_saying_it(plant: Plant, token: Settings) -> None:
    wrong = token.model_copy(update={"report_pkcs11_pin": SecretStr("999111")})
    object.__setattr__(plant.installation, "settings", wrong)
    with pytest.raises(SigningFailedError, match="REPORT_PKCS11_LIBRARY") as refused:
        seal(plant.installation, render_pdf(one_page()), FACTS)
    assert "999111" not in str(refused.value)
