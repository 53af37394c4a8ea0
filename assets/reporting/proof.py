"""What an auditor asks: is this file genuine, does the report come out the same again, who signed it?"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import nbformat

from assets.reporting.blocks import plain
from assets.reporting.digest import sha256
from assets.reporting.keys import key_files
from assets.reporting.notebook_document import document_of
from assets.reporting.numbers import writer
from assets.reporting.parameters import ReportOrder
from assets.reporting.pdf_gate import check_pdf
from assets.reporting.preview import first_page
from assets.reporting.render import render_pdf
from assets.reporting.run import make, read_inputs, save, seal
from assets.reporting.signing import Seal, read_seal
from warehouse import ledger, reports
from warehouse.access import audit
from warehouse.access.passwords import verify_password
from warehouse.errors import InvalidInputError, PermanentError
from warehouse.installation import Installation
from warehouse.models.reporting import ReportSignature
from warehouse.objects import ObjectStore
from warehouse.queries.summary import factory_of
from warehouse.tenancy import tenant_session

Verdict = Literal["genuine", "altered", "unsigned", "unknown"]
ROLES: Final = {"super_admin": "super administrator", "admin": "administrator", "viewer": "viewer"}
"""Roles as the cover prints them."""
ORDER_OF_MEANINGS: Final = ("reviewed", "approved")


@dataclass(frozen=True)
class Verification:
    """What can be said about a file, with the reason in words."""

    verdict: Verdict
    reason: str
    report_id: str | None = None
    file_name: str | None = None
    signer: str = ""
    signed_at: datetime | None = None
    is_current: bool = True
    """False for a genuine file that a later signature has replaced."""


@dataclass(frozen=True)
class Reproduction:
    """Whether a report comes out the same from its snapshot."""

    same_data: bool
    same_files: dict[str, bool]
    """By kind: byte for byte before sealing."""
    changed_versions: list[str]
    """Packages whose version is another one now."""


class SigningRefusedError(PermanentError):
    """The password is wrong, or the report cannot be signed now."""


def verify(installation: Installation, factory_id: int, content: bytes, report_id: str | None = None) -> Verification:
    """Genuine only when the seal holds, the whole file is covered, its digest is in the ledger, and the ledger's chain is intact.

    With `report_id` the file must also be one of that report.
    """
    is_pdf = content[:1024].lstrip().startswith(b"%PDF-")
    seal_found = read_seal(content, key_files(installation.settings).authorities) if is_pdf else Seal(is_signed=False)
    chain = ledger.check_chain(installation.db, factory_id)
    digest, known = sha256(content), _known(installation, factory_id)
    found = known.get(digest)
    if seal_found.is_signed and not (seal_found.is_intact and seal_found.covers_file):
        return Verification(
            "altered", "The file was changed after it was sealed.", signer=seal_found.signer, signed_at=seal_found.signed_at
        )
    if not chain.is_intact:
        return Verification("altered", f"The ledger itself was changed at entry {chain.broken_at}: nothing it says can be relied on.")
    if found is None:
        return _not_in_ledger(is_pdf, seal_found, content, known)
    entry_report, name, kind = found
    facts: dict[str, Any] = {"report_id": entry_report, "file_name": name, "signer": seal_found.signer, "signed_at": seal_found.signed_at}
    if report_id is not None and entry_report != report_id:
        return Verification("altered", f"This is a file of report {entry_report}, not of {report_id}: it was put in its place.", **facts)
    if kind == "pdf" and not seal_found.is_signed:
        return Verification("unsigned", "The ledger knows this file, but it carries no seal.", **facts)
    if kind == "pdf" and not seal_found.is_trusted:
        return Verification("unknown", "The seal is not by a key of this installation.", **facts)
    return Verification("genuine", "Seal, ledger and digest agree." if kind == "pdf" else "Ledger and digest agree.", **facts)


def _not_in_ledger(is_pdf: bool, found: Seal, content: bytes, known: dict[str, tuple[str, str, str]]) -> Verification:  # noqa: FBT001  # a fact
    if found.is_signed and found.is_trusted:
        return Verification(
            "unknown", "Sealed by this installation, but not in this factory's ledger.", signer=found.signer, signed_at=found.signed_at
        )
    if found.is_signed:
        return Verification(
            "unknown", "Sealed by a key that this installation does not know.", signer=found.signer, signed_at=found.signed_at
        )
    run = next(
        (name for _, name, kind in known.values() if kind == "pdf" and is_pdf and name.removesuffix(".pdf").encode() in content), None
    )
    if is_pdf:
        more = f" It names {run.removesuffix('.pdf')}: its seal may have been taken off." if run else ""
        return Verification("unsigned", "The file carries no seal, so nothing can be proved about it." + more)
    return Verification("unknown", "This factory's ledger does not know the file: it was never made here, or it was changed.")


def _known(installation: Installation, factory_id: int) -> dict[str, tuple[str, str, str]]:
    """(report, file name, kind) by the digest of every file that the ledger holds."""
    found = {}
    for entry in ledger.entries(installation.db, factory_id):
        for name, facts in ledger.content_of(entry).get("files", {}).items():
            found[facts["sha256"]] = (entry.report_id, name, facts["kind"])
    return found


def reproduce(installation: Installation, factory_id: int, report_id: str) -> Reproduction:
    """Makes the report again from its snapshot and kept inputs. Raises NotFoundError, PermanentError when its ledger entry is missing."""
    reports.find(installation.db, factory_id, report_id)
    entry = next((e for e in ledger.entries(installation.db, factory_id, report_id) if e.kind == "report.made"), None)
    if entry is None:
        raise PermanentError(f"the ledger holds nothing about report {report_id}; only complete reports can be made again")
    proof = ledger.content_of(entry)
    kept = reports.current_file(installation.db, factory_id, report_id, "inputs")
    inputs = ObjectStore(installation.settings).read(kept.path)
    if sha256(inputs) != proof["rendered_sha256"]["inputs"]:
        raise PermanentError("the kept inputs of the report are not those that the ledger knows: they were changed")
    order = ReportOrder.model_validate(proof["order"])
    again = make(installation, factory_id, order, lambda *_: None, snapshot_id=proof["snapshot_id"], operational=read_inputs(inputs))
    compared = [kind for kind in ("pdf", "excel", "html", "json", "csv", "parquet") if kind in proof["rendered_sha256"]]
    return Reproduction(
        same_data=again.proof["data_sha256"] == proof["data_sha256"],
        same_files={kind: again.proof["rendered_sha256"].get(kind) == proof["rendered_sha256"][kind] for kind in compared},
        changed_versions=[
            f"{n} {v} -> {again.proof['versions'].get(n)}" for n, v in proof["versions"].items() if again.proof["versions"].get(n) != v
        ],
    )


def sign(
    installation: Installation, factory_id: int, report_id: str, user_id: int, *, password: str, meaning: str, comment: str = ""
) -> ReportSignature:
    """A person signs: password again, meaning in words. The PDF is set anew with name, time and meaning, and sealed anew.

    Raises SigningRefusedError for a wrong password, an unfinished report, or a report without a PDF.
    """
    if meaning not in ORDER_OF_MEANINGS:
        raise InvalidInputError(f"a report is signed as {' or '.join(ORDER_OF_MEANINGS)}, not as {meaning!r}", path="meaning")
    db, now = installation.db, installation.clock.now()
    report, person = reports.find(db, factory_id, report_id), reports.person(db, factory_id, user_id)
    if not verify_password(password[:1024], person.hashed_password) or not person.is_active:
        _note_refusal(installation, factory_id, report_id, user_id)
        raise SigningRefusedError("The password is not right; nothing was signed.")
    if report.status != "complete" or report.file_url is None:
        raise SigningRefusedError("Only a finished report whose files are still kept can be signed.")
    done = reports.signatures(db, factory_id, report_id)
    if any(s.meaning == meaning for s in done):
        raise SigningRefusedError(f"This report is {meaning} already.")
    signature = ReportSignature(
        report_id=report_id, user_id=user_id, name=person.name or person.email, role=ROLES.get(person.role, person.role), meaning=meaning,
        comment=comment or None, signed_at=now,
    )  # fmt: skip
    _render_signed(installation, factory_id, report_id, [*done, signature])
    with tenant_session(db, factory_id, write=True) as session:
        session.add(signature)
        after = {"meaning": meaning, "name": signature.name, "comment": comment}
        audit.append(session, f"report.{meaning}", f"report:{report_id}", now, audit.Actor(factory_id, user_id), after=after)
    return signature


def _note_refusal(installation: Installation, factory_id: int, report_id: str, user_id: int) -> None:
    with tenant_session(installation.db, factory_id, write=True) as session:
        audit.append(session, "report.sign_refused", f"report:{report_id}", installation.clock.now(), audit.Actor(factory_id, user_id))


def _render_signed(installation: Installation, factory_id: int, report_id: str, done: list[ReportSignature]) -> None:
    """From the executed notebook, which the ledger proves: no number can change between review and approval."""
    db, objects = installation.db, ObjectStore(installation.settings)
    report = reports.find(db, factory_id, report_id)
    made = next(e for e in ledger.entries(db, factory_id, report_id) if e.kind == "report.made")
    proof = ledger.content_of(made)
    kept = objects.read(reports.current_file(db, factory_id, report_id, "notebook").path)
    if sha256(kept) != proof["rendered_sha256"]["notebook"]:
        raise SigningRefusedError("The notebook of this report is not the one that the ledger knows: it was changed. Make a new report.")
    notebook = nbformat.reads(kept.decode(), as_version=4)
    order = ReportOrder.model_validate(proof["order"])
    w = writer(order.language, factory_of(db, factory_id).timezone)
    moment = done[-1].signed_at
    sealed = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
    prepared = document_of(notebook).meta["signatures"][0]
    notebook.metadata["factoryops"] = {"language": order.language, "sealed": sealed, "signatures": [prepared, *_rows(done, w)]}
    pdf = render_pdf(document_of(notebook))
    check_pdf(pdf)
    facts = {
        "run": report.run_label,
        "data_sha256": proof["data_sha256"],
        "snapshot_id": proof["snapshot_id"],
        "factory": {"name": factory_of(db, factory_id).name},
    }
    signed = seal(installation, pdf, facts) or pdf
    content = {"rendered_sha256": {"pdf": sha256(pdf)}, "signatures": [[s.meaning, s.name, s.signed_at.isoformat()] for s in done]}
    save(installation, report, {"pdf": signed, "preview": first_page(signed)}, "report.signed", content, facts)


def _rows(done: list[ReportSignature], w: Any) -> list[list[str]]:
    """The signature rows of the cover: who has signed, and who is still to."""
    t, rows = w.words, []
    titles = {"reviewed": "Reviewed", "approved": "Approved"}
    meant = {"reviewed": "Findings are correct to my knowledge", "approved": "I accept this report and its findings"}
    for meaning in ORDER_OF_MEANINGS:
        found = next((s for s in done if s.meaning == meaning), None)
        if found is None:
            rows.append([t(titles[meaning]), t("waiting"), "", "—", "—"])
        else:
            rows.append(
                [
                    t(titles[meaning]),
                    plain(found.name),
                    plain(t(found.role)),
                    w.stamp(found.signed_at),
                    plain(found.comment or t(meant[meaning])),
                ]
            )
    return rows
