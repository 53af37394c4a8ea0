"""PAdES B-B certification signatures: seals a PDF against any later change, and tells whether the seal still holds. Nothing is fetched."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from assets.reporting.keys import KeyFiles
from warehouse.errors import PermanentError
from warehouse.settings import Settings

FIELD: Final = "FactoryOpsSeal"


class SigningFailedError(PermanentError):
    """The key cannot be used; the message says why."""


@dataclass(frozen=True)
class Seal:
    """What a PDF's signature says. Not signed at all: `is_signed` False and nothing else matters."""

    is_signed: bool
    is_intact: bool = False
    """The signed bytes are those that were signed."""
    is_trusted: bool = False
    """Signed by a key of our own authority."""
    covers_file: bool = False
    """Nothing was appended after signing."""
    signer: str = ""
    signed_at: datetime | None = None
    """The signing key's own clock."""

    @property
    def holds(self) -> bool:
        """Signed by us and unchanged since."""
        return self.is_signed and self.is_intact and self.is_trusted and self.covers_file


def sign_pdf(pdf: bytes, files: KeyFiles, settings: Settings, *, reason: str, location: str) -> bytes:
    """The PDF with a certification signature that allows no later change. Raises SigningFailedError."""
    facts = signers.PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        reason=reason,
        location=location,
        app_build_props=None,
    )
    out = io.BytesIO()
    refusals: tuple[type[Exception], ...] = (SigningError, PdfError, OSError, ValueError, *_token_errors(settings))
    try:
        writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
        with _signer(files, settings) as signer:
            signers.PdfSigner(facts, signer).sign_pdf(writer, output=out)
    except SigningFailedError:
        raise
    except refusals as failed:
        raise SigningFailedError(f"the report cannot be signed: {failed}") from failed
    return out.getvalue()


def _token_errors(settings: Settings) -> tuple[type[Exception], ...]:
    """What a token may raise while it signs; nothing without a token, since its package is not there then."""
    if not settings.report_pkcs11_library:
        return ()
    from pkcs11 import PKCS11Error  # noqa: PLC0415  # as above

    return (PKCS11Error,)


class _signer:  # noqa: N801  # reads as a function in its only use
    """The signing key from files, or from a PKCS#11 token while the block runs."""

    def __init__(self, files: KeyFiles, settings: Settings) -> None:
        self._files, self._settings = files, settings
        self._session: Any = None

    def __enter__(self) -> Any:
        if self._settings.report_pkcs11_library:
            return self._from_token()
        found = signers.SimpleSigner.load(str(self._files.key), str(self._files.certificate), ca_chain_files=(str(self._files.authority),))
        if found is None:
            raise SigningFailedError(f"the signing key in {self._files.folder} cannot be read; `factoryops keys create` makes new ones")
        return found

    def __exit__(self, *_problem: object) -> None:
        if self._session is not None:
            self._session.close()

    def _from_token(self) -> Any:
        try:
            from pkcs11 import Mechanism, PKCS11Error  # noqa: PLC0415  # python-pkcs11, which few need
            from pyhanko.sign.pkcs11 import PKCS11Signer, open_pkcs11_session  # noqa: PLC0415  # as above
        except ImportError as missing:
            raise SigningFailedError(
                "REPORT_PKCS11_LIBRARY is set, and the package python-pkcs11 is not installed: pip install 'factoryops[pkcs11]'"
            ) from missing
        from pyhanko.config.pkcs11 import TokenCriteria  # noqa: PLC0415  # as above

        settings = self._settings
        try:
            self._session = open_pkcs11_session(
                settings.report_pkcs11_library,
                token_criteria=TokenCriteria(label=settings.report_pkcs11_token or None),
                user_pin=settings.report_pkcs11_pin.get_secret_value() or None,
            )
            hashes_itself = Mechanism.ECDSA_SHA256 in self._session.token.slot.get_mechanisms()
        except (PKCS11Error, RuntimeError) as refused:
            raise SigningFailedError(
                f"the token cannot be opened ({type(refused).__name__} {refused}): check REPORT_PKCS11_LIBRARY, _TOKEN and _PIN"
            ) from refused
        root = self._files.authority
        return PKCS11Signer(
            self._session,
            cert_label=settings.report_pkcs11_key,
            key_label=settings.report_pkcs11_key,
            ca_chain=[load_cert_from_pemder(str(root))] if root.exists() else None,
            use_raw_mechanism=not hashes_itself,
        )


def read_seal(pdf: bytes, authorities: Sequence[Path]) -> Seal:
    """What the signature of a PDF says, measured against our own authorities only. A file that is no PDF counts as not signed."""
    try:
        reader = PdfFileReader(io.BytesIO(pdf))
        embedded = reader.embedded_signatures
        if not embedded:
            return Seal(is_signed=False)
        roots = [load_cert_from_pemder(str(authority)) for authority in authorities]
        context = ValidationContext(trust_roots=roots, allow_fetching=False, revocation_mode="soft-fail", moment=_moment(embedded[0]))
        status = validate_pdf_signature(embedded[0], context)
    except (SignatureValidationError, PdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as broken:
        # Damaged structure: whatever it was, it is not what was sealed. Unsigned only when there is no trace of a signature.
        del broken
        return Seal(is_signed=b"/ByteRange" in pdf)
    whole = status.coverage == SignatureCoverageLevel.ENTIRE_FILE and status.modification_level in {None, ModificationLevel.NONE}
    return Seal(
        is_signed=True,
        is_intact=bool(status.intact and status.valid),
        is_trusted=bool(status.trusted),
        covers_file=bool(whole and len(embedded) == 1),
        signer=status.signing_cert.subject.human_friendly,
        signed_at=status.signer_reported_dt,
    )


def _moment(embedded: Any) -> datetime | None:
    """Certificates are judged as of signing: an expired key's old reports stay genuine."""
    found = embedded.self_reported_timestamp
    return found if isinstance(found, datetime) else None
