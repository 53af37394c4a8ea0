"""Importing this module registers every table with the metadata (migrations and tests need all of them)."""

from warehouse.models import access, alerting, devices, notifying, observations, people, reporting, requests, streams, upkeep, visits, work
from warehouse.models.base import Base

METADATA = Base.metadata
MODULES = (access, alerting, devices, notifying, observations, people, reporting, requests, streams, upkeep, visits, work)
