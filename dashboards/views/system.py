"""How the installation itself is doing: what comes in, what waits, what was refused, and how much room is left."""

from html import escape

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from dashboards import fmt, forms, frame, letters, resources, session, system_data, ui
from dashboards.fmt import Local
from dashboards.system_data import Data
from warehouse import dead_letters

TABS = {"": "Now", "refused": "Refused messages", "versions": "Versions"}
LATE_S = 30.0
LOW_DISK = 0.1


def draw(data: Data, refused: int, local: Local) -> None:
    """Four cards, then the processes."""
    ui.draw('<div class="cards in-order">', _ingest(data), _waiting(data), _letters(refused), _room(data), "</div>")
    with st.container(key="row-31"):
        left, right = st.columns([3, 1], gap="small")
    with left, st.container(key="card-processes", height="stretch"):
        ui.draw(ui.section("Processes", fmt.plural(len(data.beats), "sign of life", "signs of life")), processes(data, local))
    with right, st.container(key="card-links", height="stretch"):
        ui.draw(ui.section("More"), links())


def _ingest(data: Data) -> str:
    age = data.figures.newest_message_age_s
    newest = f"newest {fmt.span(age)} ago" if age is not None else "nothing received yet"
    return (
        f'<div class="card">{ui.section("Coming in", "last minute")}'
        f'<span class="big" data-fact="rate">{fmt.num(data.landed.messages_a_second)}<u>messages/s</u></span>'
        f'<div class="lines"><span>Readings<b>{fmt.num(data.landed.readings_a_second)} /s</b></span>'
        f"<span>Active alerts<b>{data.figures.active_alerts:,}</b></span></div>"
        f'<div class="foot-line"><span>{newest}</span></div></div>'
    )


def _waiting(data: Data) -> str:
    """How far whoever reads the landing log is behind."""
    lags = {"History": data.loader.waiting_s if data.loader else None}
    lags |= {_consumer(name): backlog.waiting_s for name, backlog in sorted(data.figures.consumers.items())}
    lags["Messages to people"] = data.figures.notifications_waiting_s
    lines = "".join(
        f"<span>{escape(name)}<b>{'away' if seconds is None else fmt.span(seconds)}{_late(seconds)}</b></span>"
        for name, seconds in lags.items()
    )
    worst = max((seconds for seconds in lags.values() if seconds is not None), default=0.0)
    return (
        f'<div class="card">{ui.section("Waiting", "the oldest")}<span class="big" data-fact="lag">{fmt.span(worst)}</span>'
        f'<div class="lines">{lines}</div><div class="foot-line"><span>Landing log</span>'
        f"<b>{size(data.figures.log.bytes)}, {data.figures.log.batches:,} batches</b></div></div>"
    )


def _consumer(name: str) -> str:
    return "Alerts" if name.startswith("evaluator") else name.replace("_", " ").capitalize()


def _late(seconds: float | None) -> str:
    return f' {ui.icon("high", "high-f")}<span class="high-t">late</span>' if seconds is None or seconds > LATE_S else ""


def _letters(refused: int) -> str:
    said = "Kept with the reason, to be replayed" if refused else "Everything was taken in"
    return (
        f'<div class="card">{ui.section("Refused messages", "of this factory")}'
        f'<span class="big" data-fact="refused">{refused:,}</span>'
        f'<div class="lines"><span class="mute">{said}</span></div>'
        f'<div class="foot-line">{ui.link("/system?tab=refused", "Show them")}</div></div>'
    )


def _room(data: Data) -> str:
    sizes = data.sizes
    share = sizes.disk_free / sizes.disk_total
    low = f' <span class="chip high">{ui.icon("high")}Low</span>' if share < LOW_DISK else ""
    facts = (("Readings", sizes.readings), ("Sums", sizes.sums), ("Operational database", sizes.database))
    lines = "".join(f"<span>{word}<b>{size(number) if number is not None else 'elsewhere'}</b></span>" for word, number in facts)
    return (
        f'<div class="card">{ui.section("Free on the disk", f"{fmt.num(100 * share, 2)} %")}'
        f'<span class="big" data-fact="disk">{size(sizes.disk_free)}{low}</span><div class="lines">{lines}</div>'
        f'<div class="foot-line"><span>of {size(sizes.disk_total)}</span></div></div>'
    )


def size(number: int) -> str:
    """Bytes as people say them; pure."""
    amount, units = float(number), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{fmt.num(amount)} {units[0]}"


def processes(data: Data, local: Local) -> str:
    """Each process that gives signs of life, and what it says."""
    if not data.beats:
        return ui.state_panel("empty", "clock", "No process gives a sign of life", "Start them with “factoryops up”.")
    rows = ""
    for beat in data.beats:
        said = beat.state(local.now)
        is_well = said == "ok"
        mark = ui.icon("check") if is_well else ui.icon("high", "high-f")
        rows += (
            f"<tr><td><b>{escape(beat.name.replace('_', ' '))}</b></td><td>{mark} {'Well' if is_well else escape(said)}</td>"
            f'<td class="r">{ui.moment(beat.at, local)}</td></tr>'
        )
    head = '<tr><th>Process</th><th>State</th><th class="r">Last sign</th></tr>'
    return f'<div class="scroll"><table class="plain"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def links() -> str:
    """Where operations go on."""
    settings = resources.installation().settings
    host = settings.app_url.split("://", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0]
    dagster = f"http://{host}:{settings.dagster_port}"
    return (
        '<div class="lines">'
        f'<a class="act-link" href="{escape(dagster, quote=True)}">Dagster: jobs, schedules, assets</a>'
        '<a class="act-link" href="/health">Health as JSON</a><a class="act-link" href="/metrics">Metrics for Prometheus</a>'
        '<a class="act-link" href="/api/docs">REST API</a></div>'
        "<small>Dagster listens on the machine on which FactoryOps runs.</small>"
    )


def versions() -> None:
    """What runs here."""
    settings = resources.installation().settings
    facts = {**system_data.versions(), "environment": settings.app_env}
    with st.container(key="card-versions"):
        lines = "".join(f"<dt>{escape(name.capitalize())}</dt><dd>{escape(number)}</dd>" for name, number in facts.items())
        ui.draw(ui.section("Versions"), f'<dl class="facts narrow">{lines}</dl>')


@st.fragment(run_every="5s")
def live() -> None:
    """The first tab; draws again by itself."""
    who, inst, local = session.identity(), resources.installation(), session.local()
    try:
        with frame.loading("system", 100, 62, 84):
            data = system_data.load(who.factory_id)
            refused = sum(dead_letters.counts(inst.db, who.factory_id).values())
    except SQLAlchemyError:
        with st.container(key="card-away"):
            text = "The operational database does not answer; trying again."
            ui.draw(ui.state_panel("error", "high", "The state cannot be read now", text))
        return
    draw(data, refused, local)


frame.header("System")
tab = forms.current_tab(TABS)
forms.tabs("/system", TABS, tab)
if tab == "refused":
    letters.page()
elif tab == "versions":
    versions()
else:
    live()
frame.tabbar("more")
