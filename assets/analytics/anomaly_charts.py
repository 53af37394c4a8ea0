"""The score of a machine over a range, with its limit and the anomalies."""

from datetime import datetime

import numpy as np

from assets.analytics.anomaly_findings import MachineFindings
from assets.reporting.charts.style import C, canvas, svg
from assets.reporting.words import language
from warehouse.queries.history import spikes_kept

MOST_POINTS = 1_500


def score_chart(found: MachineFindings, start: datetime, end: datetime) -> bytes:
    """An SVG: hours of the range (UTC) across, score upwards; the line at 1 is the limit of what is usual."""
    figure, (ax,) = canvas(46, left=9, top=7, bottom=8)
    whole = (end - start).total_seconds() / 3600
    thin = spikes_kept(found.scores.select("device_id", "ts", parameter="model_version", value="score"), MOST_POINTS)
    x = (thin["ts"] - start).dt.total_microseconds().to_numpy() / 3.6e9
    y = thin["value"].to_numpy()
    # The line breaks where nothing was measured.
    gap = np.flatnonzero(np.diff(x) > max(1.0, whole / 200)) + 1
    ax.plot(np.insert(x, gap, np.nan), np.insert(y, gap, np.nan), color=C["a"], lw=0.7)
    for row in found.anomalies.iter_rows(named=True):
        begin, until = ((row[name] - start).total_seconds() / 3600 for name in ("started_at", "ended_at"))
        ax.axvspan(begin, until, color=C["fault"], alpha=0.16, lw=0)
    ax.axhline(1.0, color=C["ink3"], lw=0.8, ls=(0, (4, 2.5)))
    ax.set_xlim(0, whole)
    ax.set_ylim(0, max(1.6, float(np.nanmax(y, initial=1.0)) * 1.1))
    ax.set_title(f"{found.machine.name}: how unusual (1 is the limit)")
    ax.set_xlabel(f"hours from {start:%Y-%m-%d %H:%M} UTC")
    return svg(figure, language("en")).encode()
