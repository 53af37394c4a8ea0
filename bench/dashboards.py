"""Fifty people with a page of the dashboards open that draws itself anew every 2 s, against a real web process.

FACTORYOPS_HOME does not matter: it looks at the installation of `bench api` in the temporary folder (100 machines, 30 days), which it
makes when it is not there. The people are raw websocket clients that speak Streamlit's protocol; what a browser needs to paint comes on
top. Live values move every 2 s, as ingest would move them. `--minutes 60` watches the memory for an hour.
"""

import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select

from bench.api import FOLDER
from bench.api_plant import DEVICES, PASSWORD, email_of, make_history, make_plants
from bench.dashboard_viewer import Viewer, sign_in
from bench.web_process import WebProcess, web_process
from warehouse.errors import InvalidInputError
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.devices import Device, LatestValue
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

SESSIONS: Final = 50
EVERY_S: Final = 2.0
LOAD_S: Final = 30.0
SETTLES_S: Final = 6.0
FAST_S: Final = 5.0
"""Parts that the page itself draws anew within this time are asked for every EVERY_S; slower ones at their own pace."""
LONG_MIN: Final = 10.0
"""From so many minutes on the memory says something."""
PAGES: Final = {
    "overview": ("", ""),
    "machine": ("machine", "device=M{number:03d}"),
    "machines": ("machines", ""),
    "alerts": ("alerts", ""),
}
LOADED: Final = ("overview", "machine")
BUDGETS: Final = [
    *({"figure": f"{page}_cpu_percent_of_one_core", "limit": "< 50"} for page in LOADED),
    *({"figure": f"{page}_refresh_p95_ms", "limit": "< 150"} for page in LOADED),
    *({"figure": f"{page}_warm_s", "limit": "< 1.2"} for page in PAGES),
]
GROWTH_BUDGET: Final = {"figure": f"{LOADED[0]}_rss_growth_mib_an_hour", "limit": "< 30"}


def run(progress: Callable[[str], None], *, minutes: str | None = None) -> dict[str, Any]:
    """Figures of 50 sessions on the overview and on machine pages; `minutes`: how long the overview is looked at."""
    load_s = _seconds(minutes)
    settings = Settings(factoryops_home=FOLDER, app_env="demo")
    now = datetime.now(UTC)
    with closing(Lake(settings, memory_limit="4GB")) as lake:
        make_history(lake, now, progress)
    with closing(Installation.open(settings)) as installation:
        make_plants(installation, now)
        with web_process(FOLDER, progress) as web:
            progress(f"{SESSIONS} people sign in")
            cookies = [sign_in(f"http://127.0.0.1:{web.port}", 1, email_of(1), PASSWORD) for _ in range(SESSIONS)]
            with moving(installation):
                figures = asyncio.run(measure(web, cookies, PAGES, progress, load_s={LOADED[0]: load_s, LOADED[1]: LOAD_S}))
    is_long = load_s >= LONG_MIN * 60
    return {
        "figures": {name: round(value, 3) for name, value in figures.items()},
        "budgets": [*BUDGETS, GROWTH_BUDGET] if is_long else BUDGETS,
        "notes": f"{SESSIONS} sessions, {DEVICES} machines; the parts of a page that refresh by themselves are drawn every {EVERY_S:g} s, "
        f"the slow ones at their own pace; {load_s:g} s on the overview, {LOAD_S:g} s on machine pages. Warm: a new websocket until the "
        f"page is drawn, slowest of five, nobody else there. Clients share the machine with the server."
        + ("" if is_long else " The memory's slope means little over so short a time (--minutes 60)."),
    }


def _seconds(minutes: str | None) -> float:
    try:
        return LOAD_S if minutes is None else float(minutes) * 60
    except ValueError as wrong:
        raise InvalidInputError(f"--minutes {minutes!r} is no number", path="minutes") from wrong


async def measure(
    web: WebProcess,
    cookies: Sequence[str],
    pages: Mapping[str, tuple[str, str]],
    progress: Callable[[str], None],
    *,
    load_s: Mapping[str, float],
    settles_s: float = SETTLES_S,
) -> dict[str, float]:
    """Opens each of `pages` (address and query) alone, then all `cookies` at once on each page of `load_s` for so long."""
    url = f"http://127.0.0.1:{web.port}"
    figures: dict[str, float] = {}
    for name, page in pages.items():
        progress(f"page {name}, warm")
        figures[f"{name}_warm_s"] = await warm_s(url, cookies[0], page)
    for name, seconds in load_s.items():
        progress(f"{len(cookies)} sessions on the page {name} for {seconds:g} s")
        found = await loaded(web, url, cookies, pages[name], seconds, settles_s)
        figures |= {f"{name}_{figure}": value for figure, value in found.items()}
    return figures


async def warm_s(url: str, cookie: str, page: tuple[str, str], times: int = 5) -> float:
    """The slowest of some new pages, after two that warmed up."""
    taken = []
    for _ in range(times + 2):
        async with _viewer(url, cookie, page, 1) as viewer:
            taken.append(await viewer.load())
    return max(taken[2:])


def _viewer(url: str, cookie: str, page: tuple[str, str], number: int) -> Viewer:
    return Viewer(url, cookie, page[0], page[1].format(number=number % 10 + 1))


async def loaded(
    web: WebProcess, url: str, cookies: Sequence[str], page: tuple[str, str], load_s: float, settles_s: float
) -> dict[str, float]:
    """What all sessions cost while they look at one page for `load_s`."""
    times: list[float] = []
    async with AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(_viewer(url, cookie, page, number)) for number, cookie in enumerate(cookies)]
        for viewer in viewers:
            await viewer.load()
        over = asyncio.Event()
        # Spread evenly, as people who opened their pages at different moments are.
        at_work = [asyncio.create_task(_look(viewer, i * EVERY_S / len(viewers), over, times)) for i, viewer in enumerate(viewers)]
        await asyncio.sleep(settles_s)
        times.clear()
        before, began, received = web.cpu_s(), time.perf_counter(), sum(viewer.received_bytes for viewer in viewers)
        memory = await _watch(web, load_s, times)
        took_s, spent_s = time.perf_counter() - began, web.cpu_s() - before
        received = sum(viewer.received_bytes for viewer in viewers) - received
        over.set()
        await asyncio.gather(*at_work)
    slope = statistics.linear_regression(*zip(*memory, strict=True)).slope if len(memory) > 2 else 0.0
    return {
        "cpu_percent_of_one_core": 100 * spent_s / took_s,
        "refresh_p50_ms": 1000 * statistics.median(times),
        "refresh_p95_ms": 1000 * sorted(times)[int(len(times) * 0.95)],
        "refreshes_per_s": len(times) / took_s,
        "kib_a_refresh": received / 1024 / len(times),
        "rss_mib": memory[-1][1],
        "rss_growth_mib_an_hour": slope * 3600,
    }


async def _watch(web: WebProcess, load_s: float, times: Sequence[float]) -> list[tuple[float, float]]:
    """Seconds and the memory that the server held then, once a second; of a long time only from its first quarter on.

    Goes on until something was drawn anew, on a very busy machine.
    """
    found, began = [], time.perf_counter()
    while (gone := time.perf_counter() - began) < load_s or not times:
        found.append((gone, web.rss_mib()))
        await asyncio.sleep(min(1.0, max(load_s - gone, 0.1)))
    settled = load_s / 4 if load_s >= LONG_MIN * 60 else 0
    return [each for each in found if each[0] >= settled]


async def _look(viewer: Viewer, wait_s: float, over: asyncio.Event, times: list[float]) -> None:
    """Draws the parts of the page anew when they are due, one after the other as Streamlit does."""
    await asyncio.sleep(wait_s)
    due = {fragment: time.perf_counter() + _pace(interval) for fragment, interval in viewer.fragments.items()}
    while not over.is_set():
        next_one = min(due, key=due.__getitem__)
        await _sleep(due[next_one] - time.perf_counter(), over)
        if over.is_set():
            return
        times.append(await viewer.refresh(next_one))
        if viewer.parts == 0:
            raise RuntimeError(f"a part of the page {viewer.page or 'overview'} was drawn with nothing in it")
        due[next_one] = max(due[next_one] + _pace(viewer.fragments[next_one]), time.perf_counter())


def _pace(interval_s: float) -> float:
    return EVERY_S if interval_s <= FAST_S else interval_s


async def _sleep(seconds: float, over: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(over.wait(), max(seconds, 0))
    except TimeoutError:
        return


@contextmanager
def moving(installation: Installation) -> Iterator[None]:
    """Moves every live value of the first factory every EVERY_S meanwhile."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(EVERY_S):
            _new_values(installation)

    thread = threading.Thread(target=work, name="moving values")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _new_values(installation: Installation) -> None:
    now = installation.clock.now()
    change = 0.1 if int(now.timestamp()) % 4 < 2 else -0.1
    with tenant_session(installation.db, 1, write=True) as session:
        for row in session.scalars(select(LatestValue)):
            row.ts, row.received_at, row.value = now, now, (row.value or 0) + change
        for device in session.scalars(select(Device)):
            device.last_seen = now
