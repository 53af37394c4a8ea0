"""A model as plain arrays and numbers under names, and back: what is stored outlives the classes of one version of this program."""

from typing import Any, Final

import numpy as np

from assets.models.anomaly.components import Components
from assets.models.anomaly.detector import Model, Pattern
from assets.models.anomaly.forest import Forest
from assets.models.anomaly.regimes import Regimes
from assets.models.anomaly.usual import Usual
from warehouse.errors import PermanentError

FORMAT: Final = 1


def to_plain(model: Model) -> dict[str, Any]:
    """Everything of a model; the forest, which is most of it, in the smallest types that hold it exactly."""
    usual, pattern, grown = model.pattern.usual, model.pattern, model.forest
    return {
        "format": FORMAT, "names": list(model.names), "step_s": model.step_s, "typical_w": model.regimes.typical_w,
        "centers": usual.centers, "scales": usual.scales, "season": usual.season, "weights": usual.weights,
        "correlation": usual.correlation, "residual_spread": pattern.residual_spread, "level_spread": pattern.level_spread,
        "axes": pattern.components.axes, "variances": pattern.components.variances, "rest": pattern.components.rest,
        "roots": grown.roots.astype(np.int32), "feature": grown.feature.astype(np.int16), "threshold": grown.threshold,
        "left": grown.left.astype(np.int32), "right": grown.right.astype(np.int32), "length": grown.length,
        "usual_length": grown.usual_length, "limits": model.limits, "trained_from_s": model.trained_from_s,
        "trained_to_s": model.trained_to_s, "rows": model.rows, "dropped_share": model.dropped_share,
    }  # fmt: skip


def from_plain(stored: dict[str, Any]) -> Model:
    """The model of `to_plain`. Raises PermanentError for another format."""
    if stored.get("format") != FORMAT:
        raise PermanentError(f"an anomaly model of format {stored.get('format')}; this version reads {FORMAT}: train it again")
    usual = Usual(*(stored[name] for name in ("centers", "scales", "season", "weights", "correlation")))
    found = Components(stored["axes"], stored["variances"], stored["rest"])
    roots, feature, left, right = (stored[name].astype(np.int64) for name in ("roots", "feature", "left", "right"))
    grown = Forest(roots, feature, stored["threshold"], left, right, stored["length"], stored["usual_length"])
    return Model(
        names=tuple(stored["names"]), step_s=stored["step_s"], regimes=Regimes(stored["typical_w"]),
        pattern=Pattern(usual, stored["residual_spread"], stored["level_spread"], found),
        forest=grown, limits=stored["limits"], trained_from_s=stored["trained_from_s"],
        trained_to_s=stored["trained_to_s"], rows=stored["rows"], dropped_share=stored["dropped_share"],
    )  # fmt: skip
