"""Who is signed in: their factories, the theme of this device, and the way out. In the side bar, and on phones on the page More."""

from html import escape

from dashboards import resources, ui
from dashboards.cache import ask
from warehouse.access.accounts import factories_of
from warehouse.access.sessions import Identity
from warehouse.access.sign_in import FactoryChoice

THEMES = {"System": "Auto", "Light": "Light", "Dark": "Dark"}


def other_factories(who: Identity) -> list[FactoryChoice]:
    """Where the same e-mail has an account too; at most a minute old."""
    inst = resources.installation()
    found = ask(("factories_of", who.email), who.factory_id, 60, lambda: factories_of(inst.db, who.email)).value
    return [factory for factory in found if factory.id != who.factory_id]


def switch(who: Identity) -> str:
    """A link to each other factory: to its sign-in, because each account has a password of its own."""
    return "".join(
        f'<a class="act-link block" href="/session/login?factory={factory.id}">{ui.icon("right")} {escape(factory.name)}</a>'
        for factory in other_factories(who)
    )


def themes() -> str:
    """The choice of a theme for this device."""
    return (
        '<span class="themes" role="group" aria-label="Theme">'
        + "".join(f'<button type="button" data-theme-choice="{name}">{word}</button>' for name, word in THEMES.items())
        + "</span>"
    )
