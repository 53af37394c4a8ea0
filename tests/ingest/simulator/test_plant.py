from collections import Counter

import pytest

from ingest.simulator.plant import FACTORIES, PARAMETERS, Kind, PlantFactory, Regime

each_factory = pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.slug)


def test_two_factories_have_at_least_44_machines_together() -> None:
    assert [factory.slug for factory in FACTORIES] == ["vpc", "nordwerk"]
    assert sum(len(factory.machines) for factory in FACTORIES) == 49


@each_factory
def test_every_factory_has_all_8_kinds(factory: PlantFactory) -> None:
    assert {machine.kind for machine in factory.machines} == set(Kind)


@each_factory
def test_device_keys_are_unique_in_a_factory(factory: PlantFactory) -> None:
    assert max(Counter(machine.device_key for machine in factory.machines).values()) == 1


@each_factory
def test_a_machine_can_be_found_by_its_key(factory: PlantFactory) -> None:
    assert factory.machine("CNC-01").kind is Kind.CNC_MILL
    with pytest.raises(KeyError):
        factory.machine("CNC-99")


@each_factory
def test_every_meter_has_machines_to_measure(factory: PlantFactory) -> None:
    for meter in factory.of_kind(Kind.ENERGY_METER):
        assert sum(machine.region == meter.region for machine in factory.machines) > 2


@each_factory
def test_one_machine_is_under_overhaul(factory: PlantFactory) -> None:
    assert sum(machine.under_overhaul for machine in factory.machines) == 1


@each_factory
def test_machines_for_the_script_work_round_the_clock(factory: PlantFactory) -> None:
    kinds = {machine.kind for machine in factory.machines if machine.regime is Regime.CONTINUOUS and not machine.under_overhaul}
    assert kinds == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_measures_6_to_10_parameters_with_names_and_units(kind: Kind) -> None:
    parameters = PARAMETERS[kind]
    assert 6 <= len(parameters) <= 10
    assert len({parameter.key for parameter in parameters}) == len(parameters)
    assert all(parameter.display_name and (parameter.unit or parameter.key == "power_factor") for parameter in parameters)


def test_a_sum_of_power_counts_each_watt_once() -> None:
    assert {kind for kind in Kind if "power" not in {parameter.key for parameter in PARAMETERS[kind]}} == {Kind.ENERGY_METER}
