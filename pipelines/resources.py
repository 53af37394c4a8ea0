"""What assets, ops and sensors are given."""

import dagster as dg

from assets.opened import installation

RESOURCES = {"installation": dg.ResourceDefinition(lambda _context: installation(), description="Settings, both storages, the clock.")}
"""By the names under which they are asked for."""
