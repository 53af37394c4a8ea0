"""Makes the pictures of every page for the documentation: 1440 and 390 px wide, light and dark, into docs/images/.

    python scripts/screenshots.py                 all of them (`make screenshots`)
    python scripts/screenshots.py machines users  those whose name begins so
    python scripts/screenshots.py --serve         only the server, to look at with a browser; prints its address

The demo factory at a fixed moment, with a clock that stands still: two runs give the same pictures. Nothing else runs: no broker, no
simulator, no Dagster.
"""

import argparse
import io
import secrets
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from factoryops.ports import free_port_from  # noqa: E402 - the path is set first
from ingest.simulator.demo import seed_demo  # noqa: E402 - as above
from scripts.screenshot_data import PASSWORD, add_work  # noqa: E402 - as above
from warehouse.clock import ManualClock  # noqa: E402 - as above
from warehouse.installation import Installation  # noqa: E402 - as above
from warehouse.settings import Settings  # noqa: E402 - as above

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES: Final = ROOT / "docs" / "images"
NOW: Final = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)
SIZES: Final = {1440: 1000, 390: 844}
QUALITY: Final = 80
SETTLES_MS: Final = 1_200
HISTORY_DAYS: Final = 14
PAGES: Final = {
    "overview": "/",
    "machines": "/machines",
    "machines-add": "/machines?tab=add",
    "machines-unknown": "/machines?tab=unknown",
    "machine": "/machine?device={hot}",
    "machine-values": "/machine?device={hot}&tab=values",
    "alerts": "/alerts",
    "rules": "/rules",
    "rule": "/rule?id=1",
    "wall": "/wall?only=overview",
    "analytics": "/analytics",
    "energy": "/energy",
    "availability": "/availability",
    "reports": "/reports",
    "users": "/users?person={person}",
    "users-audit": "/users?tab=audit",
    "settings": "/settings",
    "settings-escalation": "/settings?tab=escalation",
    "system": "/system",
    "system-refused": "/system?tab=refused",
    "account": "/account",
    "more": "/more",
}
"""Name and address; a page that this version does not have is left out. `{hot}` is the machine with the worst alert."""


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only pictures whose name begins so")
    parser.add_argument("--serve", action="store_true", help="only serve")
    parser.add_argument("--home", type=Path, help="where the demo is kept, to be used again")
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        home = asked.home or Path(folder)
        settings = _settings(home, asked.port or free_port_from(18_080))
        if asked.port:
            _serve(settings)
            return 0
        facts = _prepare(settings)
        if asked.serve:
            print(f"{settings.app_url}  {facts['email']}  {PASSWORD}")
            _serve(settings)
            return 0
        _take_all(settings, facts, asked.names)
    return 0


def _settings(home: Path, port: int) -> Settings:
    return Settings(
        factoryops_home=home,
        app_env="demo",
        web_port=port,
        app_url=f"http://127.0.0.1:{port}",
        jwt_secret_key=secrets.token_hex(),
        sign_in_requests_per_minute=0,
        api_requests_per_minute=0,
        # The clock stands still: a session never ends, and nothing is ever older than it was.
        _env_file=None,
    )


def _prepare(settings: Settings) -> dict[str, str]:
    """The demo's data and what people did with it; quick when it is there already."""
    settings.home.mkdir(parents=True, exist_ok=True)
    installation = Installation.open(settings, ManualClock(NOW))
    try:
        installation.db.migrate()
        seeded = seed_demo(installation, password=PASSWORD, history_days=HISTORY_DAYS)
        return {"factory": seeded.factory, "email": seeded.email, **add_work(installation, seeded)}
    finally:
        installation.close()


def _serve(settings: Settings) -> None:
    """The web server over that home, at that moment, until it is ended."""
    import uvicorn  # noqa: PLC0415  # only the server's process needs all of this

    from factoryops.web import create_app  # noqa: PLC0415  # as above

    installation = Installation.open(settings, ManualClock(NOW))
    uvicorn.run(create_app(installation), host="127.0.0.1", port=settings.web_port, log_level="warning", access_log=False)


def _take_all(settings: Settings, facts: dict[str, str], names: list[str]) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # only here

    command = [sys.executable, __file__, "--home", str(settings.home), "--port", str(settings.web_port)]
    with subprocess.Popen(command) as server:
        try:
            _wait_for(settings.app_url, server)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"])
                for theme in ("light", "dark"):
                    for width in SIZES:
                        _take(browser, settings, facts, width, theme, names)
                browser.close()
        finally:
            server.terminate()
    total = sum(path.stat().st_size for path in IMAGES.glob("*.webp"))
    print(f"{len(list(IMAGES.glob('*.webp')))} pictures, {total / 1e6:.1f} MB")


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            if httpx.get(f"{url}/session/login").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    message = "the web server did not start"
    raise RuntimeError(message)


def _take(browser: "Browser", settings: Settings, facts: dict[str, str], width: int, theme: str, names: list[str]) -> None:
    """All pages at one width in one theme."""
    context = browser.new_context(
        viewport={"width": width, "height": SIZES[width]}, color_scheme=theme, has_touch=width < 600, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(f"{settings.app_url}/session/login")
    if not names or "sign-in" in names:
        _save(page, f"sign-in-{width}-{theme}")
    page.select_option("[name=factory]", label=facts["factory"])
    page.fill("[name=email]", facts["email"])
    page.fill("[name=password]", PASSWORD)
    page.click("button")
    page.wait_for_selector(".top h1", timeout=60_000)
    for name, address in PAGES.items():
        if names and not any(name.startswith(asked) for asked in names):
            continue
        page.goto(settings.app_url + address.format(**facts))
        page.wait_for_selector(".top h1", timeout=60_000)
        _settle(page)
        if page.locator("text=Page not found").count():
            print(f"{name}: this version has no such page")
            continue
        _save(page, f"{name}-{width}-{theme}")
    context.close()


def _settle(page: "Page") -> None:
    """Until the script has run, nothing is being loaded, and what was drawn last has had its moment."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    page.wait_for_function("!document.querySelector('.bone')", timeout=60_000)
    page.wait_for_timeout(SETTLES_MS)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)


def _save(page: "Page", name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.save(IMAGES / f"{name}.webp", quality=QUALITY, method=6)
    print(name, flush=True)


if __name__ == "__main__":
    sys.exit(main())
