"""Which machine-hours validate which: by machine, or by time where too few machines failed; never at random. Pure."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

FOLDS: Final = 3
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Fold:
    """Two masks over the rows; no life is in both."""

    train: Mask
    test: Mask


def folds_of(rows: pl.DataFrame, most: int = FOLDS) -> list[Fold]:
    """Folds over rows with `device_id`, `life` and `remaining_h`: machines with failures are dealt out evenly, and so are the others.

    With failures on fewer than two machines lives are dealt out in order of time instead. With a single failed life there is nothing to
    validate with: no folds.
    """
    failed = rows.filter(pl.col("remaining_h").is_not_null())
    by = "device_id" if failed["device_id"].n_unique() >= 2 else "life"
    groups = failed[by].unique(maintain_order=True).to_list()
    if len(groups) < 2:
        return []
    number = min(most, len(groups))
    others = rows.filter(~pl.col(by).is_in(groups))[by].unique(maintain_order=True).to_list()
    fold_of = {group: at % number for each in (groups, others) for at, group in enumerate(each)}
    at = rows[by].replace_strict(fold_of, return_dtype=pl.Int64).to_numpy()
    return [Fold(at != fold, at == fold) for fold in range(number)]
