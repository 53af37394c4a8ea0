"""Flip a byte, append a revision, strip the seal, swap the file, edit the ledger: each is detected."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from assets.reporting.downloads import stored_file
from assets.reporting.keys import KeysError, create_keys, key_files
from assets.reporting.proof import verify
from assets.reporting.render import render_pdf
from assets.reporting.run import save, seal
from tests.assets.reporting.conftest import Plant, one_page
from warehouse import ledger, reports
from warehouse.errors import PermanentError
from warehouse.models.work import Report
from warehouse.objects import ObjectStore

FACTS = {"run": "RPT-DONGA-1", "snapshot_id": 1, "data_sha256": "0" * 64, "factory": {"name": "North"}}


@pytest.fixture
def plant(empty_plant: Plant) -> Plant:
    """What is tested here needs no readings."""
    return empty_plant


@pytest.fixture
def sealed(plant: Plant) -> tuple[Plant, Report, bytes]:
    """A stored report of one page."""
    report = plant.order()
    pdf = seal(plant.installation, render_pdf(one_page()), FACTS)
    assert pdf is not None
    save(plant.installation, report, {"pdf": pdf}, "report.made", {}, FACTS)
    return plant, report, pdf


def verdict(plant: Plant, content: bytes, report_id: str | None = None) -> str:
    return verify(plant.installation, plant.factory_id, content, report_id).verdict


def test_a_report_as_it_was_made_is_genuine(sealed: tuple[Plant, Report, bytes]) -> None:
    plant, report, pdf = sealed
    assert verdict(plant, pdf, report.id) == "genuine"


def test_a_flipped_byte_is_detected_wherever_it_is(sealed: tuple[Plant, Report, bytes]) -> None:
    plant, _, pdf = sealed
    for place in range(40, len(pdf), len(pdf) // 12):
        flipped = bytearray(pdf)
        flipped[place] ^= 0x01
        assert verdict(plant, bytes(flipped)) != "genuine", place


def test_an_appended_revision_is_detected(sealed: tuple[Plant, Report, bytes]) -> None:
    plant, _, pdf = sealed
    revision = b"\n9999 0 obj\n<< /Type /Catalog >>\nendobj\nxref\n0 0\ntrailer\n<< >>\nstartxref\n0\n%%EOF\n"
    assert verdict(plant, pdf + revision) == "altered"


def test_a_stripped_seal_is_detected(sealed: tuple[Plant, Report, bytes]) -> None:
    plant, _, pdf = sealed
    unsigned = render_pdf(one_page())
    assert pdf.startswith(unsigned)
    assert verdict(plant, unsigned) == "unsigned"


def test_a_file_put_in_the_place_of_another_is_detected(sealed: tuple[Plant, Report, bytes]) -> None:
    plant, report, _ = sealed
    other = plant.order()
    another = seal(plant.installation, render_pdf(one_page("Another.")), FACTS)
    assert another is not None
    save(plant.installation, other, {"pdf": another}, "report.made", {}, FACTS)
    assert verdict(plant, another, report.id) == "altered"
    kept = reports.current_file(plant.installation.db, 1, report.id, "pdf")
    ObjectStore(plant.installation.settings).write(kept.path, another)
    with pytest.raises(PermanentError, match="changed or swapped"):
        stored_file(plant.installation, 1, report.id, "pdf")


def test_an_edited_ledger_is_detected(sealed: tuple[Plant, Report, bytes]) -> None:
    plant, _, pdf = sealed
    plant.installation.db.dispose()
    engine = create_engine(plant.installation.settings.operational_url)
    with engine.begin() as connection, pytest.raises(Exception, match="only ever appended"):
        connection.execute(text("UPDATE ledger_entries SET content = replace(content, 'pdf', 'fdp')"))
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER ledger_no_update"))
        connection.execute(text("UPDATE ledger_entries SET content = content || ' '"))
    engine.dispose()
    assert ledger.check_chain(plant.installation.db, 1).broken_at == 1
    found = verify(plant.installation, 1, pdf)
    assert (found.verdict, "ledger" in found.reason) == ("altered", True)


def test_a_removed_ledger_entry_is_detected(sealed: tuple[Plant, Report, bytes]) -> None:
    plant, report, pdf = sealed
    save(plant.installation, report, {"pdf": pdf}, "report.signed", {}, FACTS)
    plant.installation.db.dispose()
    engine = create_engine(plant.installation.settings.operational_url)
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER ledger_no_delete"))
        connection.execute(text("DELETE FROM ledger_entries WHERE sequence = 1"))
    engine.dispose()
    assert not ledger.check_chain(plant.installation.db, 1).is_intact


def test_a_file_of_nobody_is_unknown(plant: Plant) -> None:
    assert verdict(plant, b"PK\x03\x04 a spreadsheet") == "unknown"
    assert verdict(plant, b"%PDF-1.7 broken") == "unsigned"


def test_the_seal_of_another_authority_is_not_ours(sealed: tuple[Plant, Report, bytes], tmp_path: Path) -> None:
    plant, _, _ = sealed
    elsewhere = plant.installation.settings.model_copy(update={"report_keys_path": str(tmp_path / "other")})
    create_keys(key_files(elsewhere), plant.installation.clock, "Somebody else")
    from assets.reporting.signing import sign_pdf

    foreign = sign_pdf(render_pdf(one_page()), key_files(elsewhere), elsewhere, reason="r", location="l")
    assert verdict(plant, foreign) == "unknown"


def test_keys_are_never_replaced_and_are_readable_by_their_owner_only(sealed: tuple[Plant, Report, bytes]) -> None:
    plant, _, _ = sealed
    files = key_files(plant.installation.settings)
    assert files.key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeysError, match="already"):
        create_keys(files, plant.installation.clock, "x")


def test_in_production_keys_are_not_made_by_themselves(plant: Plant, tmp_path: Path) -> None:
    from assets.reporting.keys import ensure_keys

    settings = plant.installation.settings.model_copy(update={"app_env": "production", "report_keys_path": str(tmp_path / "none")})
    assert ensure_keys(settings, plant.installation.clock) is None
