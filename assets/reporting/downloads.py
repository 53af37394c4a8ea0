"""Files of reports for people. Light to import, for the web server."""

from assets.reporting.digest import sha256
from warehouse import reports
from warehouse.errors import PermanentError
from warehouse.installation import Installation
from warehouse.objects import ObjectStore


def stored_file(installation: Installation, factory_id: int, report_id: str, kind: str) -> tuple[str, bytes]:
    """Name and content of a file for download. Raises PermanentError when the store holds something else than was made."""
    found = reports.current_file(installation.db, factory_id, report_id, kind)
    content = ObjectStore(installation.settings).read(found.path)
    if sha256(content) != found.sha256:
        raise PermanentError(
            "the stored file is not the one that was made: it was changed or swapped; tell an administrator", report_id=report_id
        )
    return found.name, content
