"""The catalogue of the demo plant: two factories, 49 machines of 8 kinds. Makers and models are invented."""

from dataclasses import dataclass, field
from enum import StrEnum
from zoneinfo import ZoneInfo

from ingest.simulator.noise import seed_of


class Kind(StrEnum):
    """What a machine is; decides its physics and its parameters."""

    CNC_MILL = "CNC mill"
    INJECTION_MOULDER = "Injection moulder"
    CONVEYOR = "Conveyor"
    PUMP = "Pump"
    COMPRESSOR = "Compressor"
    HVAC = "HVAC"
    OVEN = "Oven"
    ENERGY_METER = "Energy meter"


class Regime(StrEnum):
    """When a machine is switched on, in its factory's own time."""

    CONTINUOUS = "day and night, all week"
    THREE_SHIFTS = "three shifts on working days"
    TWO_SHIFTS = "early and late shift on working days"


@dataclass(frozen=True)
class Parameter:
    """One measured quantity: how it is keyed in telemetry, named on screen, and rounded by the sensor."""

    key: str
    display_name: str
    unit: str
    decimals: int
    is_kpi: bool = True


@dataclass(frozen=True)
class Machine:
    """One device. `rated_w` is its nameplate power; an overhauled machine is silent: it has a history but publishes nothing now."""

    device_key: str
    kind: Kind
    name: str
    manufacturer: str
    model: str
    region: str
    rated_w: float
    regime: Regime
    under_overhaul: bool = False


@dataclass(frozen=True)
class Climate:
    """Outdoor mean and swings in degrees Celsius, the hall's mean, and outdoor relative humidity in percent."""

    outdoor_mean_c: float
    season_swing_c: float
    day_swing_c: float
    hall_mean_c: float
    humidity_percent: float


@dataclass(frozen=True)
class PlantFactory:
    """A factory with its machines. `workdays` counts from Monday: 6 = Monday to Saturday."""

    slug: str
    name: str
    timezone: str
    workdays: int
    phase_voltage_v: float
    climate: Climate
    machines: tuple[Machine, ...]
    zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Resolves the time zone once; raises ZoneInfoNotFoundError for an unknown one."""
        object.__setattr__(self, "zone", ZoneInfo(self.timezone))

    @property
    def seed(self) -> int:
        """The seed of everything that concerns the factory as a whole."""
        return seed_of(self.slug)

    def of_kind(self, kind: Kind) -> tuple[Machine, ...]:
        """All machines of one kind, in catalogue order."""
        return tuple(machine for machine in self.machines if machine.kind is kind)

    def machine(self, device_key: str) -> Machine:
        """The machine with that key; raises KeyError when there is none."""
        for machine in self.machines:
            if machine.device_key == device_key:
                return machine
        raise KeyError(device_key)


_POWER = Parameter("power", "Power", "W", 1)
_ELECTRIC = (_POWER, Parameter("voltage", "Voltage", "V", 1, is_kpi=False), Parameter("current", "Current", "A", 2))
_POWER_FACTOR = Parameter("power_factor", "Power factor", "", 3, is_kpi=False)
_VIBRATION = Parameter("vibration", "Vibration", "mm/s", 2)
_COUNTERS = (Parameter("good_parts", "Good parts this shift", "pcs", 0), Parameter("rejected_parts", "Rejected parts this shift", "pcs", 0))

PARAMETERS: dict[Kind, tuple[Parameter, ...]] = {
    Kind.CNC_MILL: (
        *_ELECTRIC,
        Parameter("spindle_speed", "Spindle speed", "rpm", 0),
        Parameter("spindle_load", "Spindle load", "%", 1),
        Parameter("spindle_temp", "Spindle temperature", "°C", 1),
        _VIBRATION,
        Parameter("coolant_flow", "Coolant flow", "L/min", 2),
        *_COUNTERS,
    ),
    Kind.INJECTION_MOULDER: (
        *_ELECTRIC,
        Parameter("barrel_temp", "Barrel temperature", "°C", 1),
        Parameter("mould_temp", "Mould temperature", "°C", 1),
        Parameter("hydraulic_oil_temp", "Hydraulic oil temperature", "°C", 1),
        Parameter("injection_pressure", "Injection pressure", "bar", 0),
        Parameter("cycle_time", "Cycle time", "s", 1),
        *_COUNTERS,
    ),
    Kind.CONVEYOR: (
        *_ELECTRIC,
        Parameter("belt_speed", "Belt speed", "m/s", 3),
        Parameter("belt_load", "Belt load", "kg", 1),
        Parameter("motor_temp", "Motor temperature", "°C", 1),
        _VIBRATION,
    ),
    Kind.PUMP: (
        *_ELECTRIC,
        _POWER_FACTOR,
        Parameter("motor_speed", "Motor speed", "rpm", 0),
        Parameter("flow", "Flow", "m³/h", 2),
        Parameter("discharge_pressure", "Discharge pressure", "bar", 2),
        Parameter("bearing_temp", "Bearing temperature", "°C", 1),
        _VIBRATION,
    ),
    Kind.COMPRESSOR: (
        *_ELECTRIC,
        _POWER_FACTOR,
        Parameter("motor_speed", "Motor speed", "rpm", 0),
        Parameter("discharge_pressure", "Discharge pressure", "bar", 2),
        Parameter("discharge_temp", "Discharge temperature", "°C", 1),
        Parameter("oil_temp", "Oil temperature", "°C", 1),
        Parameter("air_flow", "Air flow", "m³/min", 2),
        _VIBRATION,
    ),
    Kind.HVAC: (
        *_ELECTRIC,
        Parameter("fan_speed", "Fan speed", "rpm", 0),
        Parameter("filter_pressure", "Filter pressure drop", "Pa", 1),
        Parameter("supply_temp", "Supply air temperature", "°C", 1),
        Parameter("room_temp", "Room temperature", "°C", 1),
        Parameter("humidity", "Relative humidity", "%", 1),
    ),
    Kind.OVEN: (
        *_ELECTRIC,
        Parameter("chamber_temp", "Chamber temperature", "°C", 1),
        Parameter("setpoint_temp", "Set temperature", "°C", 1, is_kpi=False),
        Parameter("temp_deviation", "Deviation from set temperature", "K", 1),
        Parameter("heater_output", "Heater output", "%", 1),
        Parameter("exhaust_temp", "Exhaust temperature", "°C", 1),
    ),
    # A meter measures what its region's machines draw. It is called `metered_power`, not `power`, so that a sum of
    # `power` over a factory counts each watt once.
    Kind.ENERGY_METER: (
        Parameter("metered_power", "Metered power", "W", 1),
        Parameter("energy_today", "Energy today", "kWh", 2),
        Parameter("voltage", "Voltage", "V", 1),
        Parameter("current", "Current", "A", 2),
        Parameter("power_factor", "Power factor", "", 3),
        Parameter("reactive_power", "Reactive power", "var", 1),
        Parameter("frequency", "Grid frequency", "Hz", 3),
        Parameter("voltage_thd", "Voltage distortion", "%", 2, is_kpi=False),
    ),
}

# What makes parts; all other kinds serve these.
PRODUCING = (Kind.CNC_MILL, Kind.INJECTION_MOULDER, Kind.CONVEYOR, Kind.OVEN)
_PREFIX = {
    Kind.CNC_MILL: "CNC", Kind.INJECTION_MOULDER: "INJ", Kind.CONVEYOR: "CNV", Kind.PUMP: "PMP",
    Kind.COMPRESSOR: "CMP", Kind.HVAC: "HVC", Kind.OVEN: "OVN", Kind.ENERGY_METER: "MTR",
}  # fmt: skip


@dataclass(frozen=True)
class _Group:
    kind: Kind
    region: str
    maker: str
    model: str
    rated_w: float
    regime: Regime
    count: int


def _numbered(groups: tuple[_Group, ...], overhauled: str) -> tuple[Machine, ...]:
    """Numbers the machines of each kind through all groups: CNC-01, CNC-02, ..."""
    machines: list[Machine] = []
    for group in groups:
        for _ in range(group.count):
            number = 1 + sum(machine.kind is group.kind for machine in machines)
            key = f"{_PREFIX[group.kind]}-{number:02d}"
            machines.append(
                Machine(
                    key,
                    group.kind,
                    f"{group.kind} {number:02d}",
                    group.maker,
                    group.model,
                    group.region,
                    group.rated_w,
                    group.regime,
                    key == overhauled,
                )
            )
    return tuple(machines)


VPC = PlantFactory(
    slug="vpc",
    name="Vietnam Precision Components",
    timezone="Asia/Ho_Chi_Minh",
    workdays=6,
    phase_voltage_v=222.0,
    climate=Climate(27.5, 1.5, 4.0, 27.0, 74.0),
    machines=_numbered(
        (
            _Group(Kind.CNC_MILL, "Machining A", "Tanabe Seiki", "VMC-850", 15_000, Regime.THREE_SHIFTS, 4),
            _Group(Kind.CNC_MILL, "Machining B", "Tanabe Seiki", "HMC-500", 18_500, Regime.CONTINUOUS, 3),
            _Group(Kind.INJECTION_MOULDER, "Moulding", "Formosa Plastech", "IM-280T", 34_000, Regime.CONTINUOUS, 3),
            _Group(Kind.INJECTION_MOULDER, "Moulding", "Formosa Plastech", "IM-160T", 22_000, Regime.THREE_SHIFTS, 3),
            _Group(Kind.CONVEYOR, "Machining A", "Dong Tien", "BC-3", 3_000, Regime.THREE_SHIFTS, 2),
            _Group(Kind.CONVEYOR, "Moulding", "Dong Tien", "BC-3", 3_000, Regime.CONTINUOUS, 2),
            _Group(Kind.PUMP, "Utilities", "Rivulet", "NK-65", 7_500, Regime.CONTINUOUS, 3),
            _Group(Kind.COMPRESSOR, "Utilities", "Kestrel Air", "RS-55", 46_000, Regime.CONTINUOUS, 1),
            _Group(Kind.COMPRESSOR, "Utilities", "Kestrel Air", "RS-37", 34_000, Regime.THREE_SHIFTS, 1),
            _Group(Kind.HVAC, "Machining A", "Borealis Klima", "AHU-20", 18_000, Regime.CONTINUOUS, 1),
            _Group(Kind.HVAC, "Moulding", "Borealis Klima", "AHU-24", 22_000, Regime.CONTINUOUS, 1),
            _Group(Kind.OVEN, "Heat treatment", "Brenner Ofenbau", "HT-900", 58_000, Regime.CONTINUOUS, 1),
            _Group(Kind.OVEN, "Heat treatment", "Brenner Ofenbau", "HT-600", 42_000, Regime.THREE_SHIFTS, 1),
            _Group(Kind.ENERGY_METER, "Machining A", "Voltaire Metering", "PM-5", 10, Regime.CONTINUOUS, 1),
            _Group(Kind.ENERGY_METER, "Moulding", "Voltaire Metering", "PM-5", 10, Regime.CONTINUOUS, 1),
            _Group(Kind.ENERGY_METER, "Utilities", "Voltaire Metering", "PM-5", 10, Regime.CONTINUOUS, 1),
        ),
        overhauled="CNC-03",
    ),
)

NORDWERK = PlantFactory(
    slug="nordwerk",
    name="Nordwerk Antriebstechnik",
    timezone="Europe/Berlin",
    workdays=5,
    phase_voltage_v=231.0,
    climate=Climate(9.5, 9.5, 4.0, 21.0, 68.0),
    machines=_numbered(
        (
            _Group(Kind.CNC_MILL, "Halle 1", "Harlander", "HX-700", 17_000, Regime.TWO_SHIFTS, 4),
            _Group(Kind.CNC_MILL, "Halle 2", "Harlander", "HX-900", 21_000, Regime.CONTINUOUS, 2),
            _Group(Kind.INJECTION_MOULDER, "Halle 2", "Engstler", "E-Form 200", 28_000, Regime.CONTINUOUS, 2),
            _Group(Kind.CONVEYOR, "Halle 1", "Transporta", "GF-2", 3_000, Regime.TWO_SHIFTS, 1),
            _Group(Kind.CONVEYOR, "Halle 2", "Transporta", "GF-2", 3_000, Regime.CONTINUOUS, 2),
            _Group(Kind.PUMP, "Technikzentrale", "Rivulet", "NK-50", 5_500, Regime.CONTINUOUS, 2),
            _Group(Kind.COMPRESSOR, "Technikzentrale", "Kestrel Air", "RS-37", 34_000, Regime.CONTINUOUS, 1),
            _Group(Kind.COMPRESSOR, "Technikzentrale", "Kestrel Air", "RS-22", 21_000, Regime.TWO_SHIFTS, 1),
            _Group(Kind.HVAC, "Halle 1", "Borealis Klima", "AHU-16", 14_000, Regime.CONTINUOUS, 1),
            _Group(Kind.HVAC, "Halle 2", "Borealis Klima", "AHU-20", 18_000, Regime.CONTINUOUS, 1),
            _Group(Kind.OVEN, "Härterei", "Brenner Ofenbau", "HT-600", 42_000, Regime.CONTINUOUS, 1),
            _Group(Kind.ENERGY_METER, "Halle 1", "Voltaire Metering", "PM-5", 10, Regime.CONTINUOUS, 1),
            _Group(Kind.ENERGY_METER, "Halle 2", "Voltaire Metering", "PM-5", 10, Regime.CONTINUOUS, 1),
        ),
        overhauled="CNC-02",
    ),
)

FACTORIES: tuple[PlantFactory, ...] = (VPC, NORDWERK)
