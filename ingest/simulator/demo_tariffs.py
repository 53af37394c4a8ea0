"""What electricity costs the demo's factories: believable prices of an industrial time-of-use tariff, and their grids' emission factors."""

from typing import Final

from warehouse.queries.energy_use import Band, Tariff

WORKDAYS: Final = (0, 1, 2, 3, 4, 5)
EVERY_DAY: Final = (0, 1, 2, 3, 4, 5, 6)
TARIFFS: Final = {
    "vpc": Tariff(
        currency="VND",
        otherwise=1_833.0,
        bands=(
            Band("peak", 3_398.0, WORKDAYS, 17, 20),
            Band("off-peak", 1_190.0, EVERY_DAY, 22, 24),
            Band("off-peak", 1_190.0, EVERY_DAY, 0, 4),
        ),
        carbon_kg_a_kwh=0.66,
    ),
    "nordwerk": Tariff(
        currency="EUR",
        otherwise=0.21,
        bands=(Band("night", 0.17, EVERY_DAY, 0, 6), Band("night", 0.17, EVERY_DAY, 22, 24)),
        carbon_kg_a_kwh=0.36,
    ),
}
"""By the factory's slug."""
