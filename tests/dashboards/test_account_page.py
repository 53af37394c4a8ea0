"""One's own account: what is changed there is changed in truth, and asks for the password again."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from tests.dashboards.conftest import Pages, words
from tests.fixtures.people import PASSWORD
from warehouse.access import second_factor, totp
from warehouse.access.api_keys import keys_of
from warehouse.access.sessions import Identity, check_session
from warehouse.models.people import AuditEvent
from warehouse.tenancy import tenant_session

pytestmark = pytest.mark.slow


def press(app: AppTest, label: str, **fields: str) -> AppTest:
    """Fills in the fields by key (dashes written as underscores) and presses the button."""
    for key, value in fields.items():
        app.text_input(key=key.replace("_", "-")).set_value(value)
    next(button for button in app.button if button.label == label).click().run()
    return app.run()


def who(pages: Pages) -> Identity:
    inst = pages.plants.installation
    found = check_session(inst.db, inst.settings, inst.clock, pages.plants.token(pages.plants.north))
    assert found is not None
    return found


def actions(pages: Pages) -> list[str]:
    with tenant_session(pages.plants.installation.db, pages.plants.north.person.factory_id) as session:
        return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.position)))


def test_the_second_factor_is_turned_on_and_off_with_the_password_asked_again(pages: Pages) -> None:
    inst, person = pages.plants.installation, who(pages)
    app = pages.open(pages.plants.north, "account")
    press(app, "Set up an app", factor_password="wrong")
    assert not second_factor.state(inst.db, person)[0]
    press(app, "Set up an app", factor_password=PASSWORD)
    [secret] = [block.value for block in app.code]
    press(app, "Turn it on", factor_code=totp.code_at(secret, totp.step_of(inst.clock.now())))
    spare = app.code[0].value.splitlines()
    assert second_factor.state(inst.db, person) == (True, len(spare))
    press(app, "I have them")
    assert "recovery codes are left" in words(app)
    assert spare[0] not in words(app)
    press(app, "Turn it off", off_password="wrong", off_code=spare[0])
    assert second_factor.state(inst.db, person)[0]
    press(app, "Turn it off", off_password=PASSWORD, off_code=spare[0])
    assert not second_factor.state(inst.db, person)[0]
    assert [action for action in actions(pages) if action.startswith("second_factor")] == ["second_factor.on", "second_factor.off"]


def test_another_sign_in_is_ended_and_a_key_is_made_and_ended(pages: Pages) -> None:
    inst = pages.plants.installation
    elsewhere = pages.plants.token(pages.plants.north)
    app = pages.open(pages.plants.north, "account")
    said = words(app)
    assert said.count("This browser") == 1
    assert said.count("Another sign-in") == 1
    press(app, "End it")
    assert check_session(inst.db, inst.settings, inst.clock, elsewhere) is None
    press(app, "Make the key", key_name="ERP <export>")
    [made] = keys_of(inst.db, who(pages))
    assert (made.name, made.scopes, made.expires_at) == ("ERP <export>", "read", inst.clock.now() + timedelta(days=90))
    assert app.code[0].value.startswith(made.prefix)
    press(app, "I have it")
    assert "ERP &lt;export&gt;" in words(app)
    press(app, "End this key")
    assert keys_of(inst.db, who(pages))[0].revoked_at is not None


def test_another_password_ends_the_other_sign_ins(pages: Pages) -> None:
    inst = pages.plants.installation
    elsewhere = pages.plants.token(pages.plants.north)
    app = pages.open(pages.plants.north, "account")
    press(app, "Change the password", password_old="wrong", password_new="four odd horses run")
    assert check_session(inst.db, inst.settings, inst.clock, elsewhere) is not None
    press(app, "Change the password", password_old=PASSWORD, password_new="four odd horses run")
    assert "password.change" in actions(pages)
    assert check_session(inst.db, inst.settings, inst.clock, elsewhere) is None
    assert "Your account" in words(app)
