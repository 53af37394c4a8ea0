"""The API of people: invited by mail, taken up, rights changed, deactivated; for super admins only."""

import email
import email.policy
import re

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from tests.api.asking import Asking
from tests.fixtures.people import PASSWORD
from tests.fixtures.two_plants import TwoPlants
from warehouse.clock import SystemClock

NEW = {
    "email": "newengineer@vpc.com",
    "whatsapp_number": "+84901234567",
    "permissions": {"create_rules": True, "run_analytics": True, "generate_reports": False},
}


@pytest.fixture
def chief(two_plants: TwoPlants) -> Asking:
    two_plants.clock.set(SystemClock().now())
    return Asking(two_plants, two_plants.north, role="super_admin")


def mailed_token(chief: Asking) -> str:
    """The secret in the newest mail."""
    newest = max(chief.plants.installation.settings.mail_folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    message = email.message_from_bytes(newest.read_bytes(), policy=email.policy.default)
    assert message["To"] == NEW["email"]
    body = message.get_body(("plain",))
    assert body is not None
    found = re.search(r"/session/invitation#(\S+)", body.get_content())
    assert found is not None
    return found[1]


def test_somebody_is_invited_and_takes_it_up(chief: Asking) -> None:
    made = chief.ask("POST", "/users/invite", 201, **NEW)
    assert (made["email"], made["status"], made["whatsapp_number"], made["role"]) == (NEW["email"], "invited", "+84901234567", "admin")
    assert made["permissions"] == {**NEW["permissions"], "manage_users": False}
    stranger, token = TestClient(create_app(chief.plants.installation)), mailed_token(chief)
    assert token not in str(made)
    weak = stranger.post("/v1/users/accept-invite", json={"token": token, "password": "short"})
    assert weak.status_code == 422
    taken = stranger.post("/v1/users/accept-invite", json={"token": token, "password": "correct horse battery staple", "name": "Linh"})
    assert taken.status_code == 200, taken.text
    assert sorted(taken.json()) == ["access_token", "expires_in", "token_type", "user"]
    bearer = {"authorization": f"Bearer {taken.json()['access_token']}"}
    assert stranger.get("/v1/devices", headers=bearer).json()["total"] == 3
    assert stranger.post("/v1/users/accept-invite", json={"token": token, "password": PASSWORD}).status_code == 410
    assert [(u["email"], u["status"]) for u in chief.ask("GET", "/users")["data"]][-1] == (NEW["email"], "active")


def test_rights_are_changed_and_access_is_taken_at_once(chief: Asking) -> None:
    made = chief.ask("POST", "/users/invite", 201, **NEW)
    stranger = TestClient(create_app(chief.plants.installation))
    body = {"token": mailed_token(chief), "password": "correct horse battery staple"}
    token = stranger.post("/v1/users/accept-invite", json=body).json()["access_token"]
    bearer = {"authorization": f"Bearer {token}"}
    changed = chief.ask("PATCH", f"/users/{made['id']}/permissions", permissions={"create_rules": False})
    assert changed["permissions"] == {"create_rules": False, "run_analytics": True, "generate_reports": False, "manage_users": False}
    assert stranger.get("/v1/auth/me", headers=bearer).json()["permissions"]["create_rules"] is False
    assert chief.ask("DELETE", f"/users/{made['id']}", reason="left") == {"message": "User deactivated successfully"}
    assert stranger.get("/v1/auth/me", headers=bearer).status_code == 401
    assert chief.ask("POST", f"/users/{made['id']}/reactivate")["status"] == "active"
    assert stranger.get("/v1/auth/me", headers=bearer).status_code == 401


def test_only_a_super_admin_sees_and_changes_people(two_plants: TwoPlants) -> None:
    admin, me = Asking(two_plants, two_plants.north), two_plants.north.person.user_id
    admin.ask("GET", "/users", 403)
    admin.ask("POST", "/users/invite", 403, **NEW)
    admin.ask("PATCH", f"/users/{me}/permissions", 403, permissions={})
    for method, path in (("DELETE", ""), ("POST", "/reactivate")):
        admin.ask(method, f"/users/{me}{path}", 403)
    admin.ask("DELETE", f"/users/{me}/second-factor", 403, reason="lost phone")


def test_people_of_another_factory_do_not_exist(chief: Asking) -> None:
    them = chief.plants.south.person.user_id
    assert them not in [user["id"] for user in chief.ask("GET", "/users")["data"]]
    chief.ask("PATCH", f"/users/{them}/permissions", 404, permissions={"create_rules": True})
    for method, path in (("DELETE", ""), ("POST", "/reactivate")):
        chief.ask(method, f"/users/{them}{path}", 404)
    chief.ask("DELETE", f"/users/{them}/second-factor", 404, reason="lost phone")


def test_nobody_is_invited_with_what_makes_no_sense(chief: Asking) -> None:
    chief.ask("POST", "/users/invite", 422, email="nobody")
    chief.ask("POST", "/users/invite", 422, **{**NEW, "whatsapp_number": "0901"})
    chief.ask("POST", "/users/invite", 422, **{**NEW, "permissions": {"fly": True}})
    chief.ask("DELETE", f"/users/{chief.plant.person.user_id}", 403)
