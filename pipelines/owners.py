"""Who looks after which assets, and by which tags one finds them in Dagster's UI: by group, so that no noun has to say it again."""

import warnings
from typing import Final

import dagster as dg
from dagster._utils.warnings import PreviewWarning

OPERATIONS: Final = "team:operations"
RELIABILITY: Final = "team:reliability"
OF_GROUP: Final = {
    "rollups": (OPERATIONS, "history"),
    "imports": (OPERATIONS, "history"),
    "figures": (OPERATIONS, "figures"),
    "health": (RELIABILITY, "figures"),
    "analytics": (RELIABILITY, "analytics"),
}
"""Owner and purpose by asset group."""


def looked_after(found: dg.Definitions) -> dg.Definitions:
    """The same with owners and tags; raises KeyError for a group that nobody looks after."""
    with warnings.catch_warnings():
        # A preview in Dagster 1.13, and the version is pinned.
        warnings.simplefilter("ignore", PreviewWarning)
        return found.map_asset_specs(func=_with_owner)


def _with_owner(spec: dg.AssetSpec) -> dg.AssetSpec:
    owner, purpose = OF_GROUP[spec.group_name or "default"]
    return spec.replace_attributes(owners=[owner], tags={**spec.tags, "purpose": purpose})
