"""For people in Jupyter: the data of a factory of the installation that their settings name, as a headless run would get them."""

import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from assets.reporting.collect import collect
from assets.reporting.parameters import ReportOrder
from assets.reporting.run_data import RunData
from warehouse.access.sign_in import factories
from warehouse.errors import NotFoundError
from warehouse.installation import Installation
from warehouse.queries.summary import factory_of, local_midnight
from warehouse.settings import Settings


def run_of_factory(slug: str, days: int) -> RunData:
    """Collects the last whole `days` days of the factory (the first one when `slug` is empty) into a folder for this session."""
    installation = Installation.open(Settings.load())
    try:
        known = {choice.slug: choice.id for choice in factories(installation.db)}
        factory_id = known.get(slug) if slug else next(iter(known.values()), None)
        if factory_id is None:
            raise NotFoundError(f"there is no factory {slug!r} here; known: {', '.join(known) or 'none'}", noun="factory", key=slug)
        now = installation.clock.now()
        end = local_midnight(now, factory_of(installation.db, factory_id).timezone)
        order = ReportOrder(report_id=str(uuid4()), start=end - timedelta(days=days), end=end, prepared_at=now, prepared_by="Jupyter")
        folder = Path(tempfile.mkdtemp(prefix="factoryops-report-"))
        collect(installation.db, installation.lake, installation.settings, factory_id, order, folder)
    finally:
        installation.close()
    return RunData(folder)
