"""Asks the API as the person of a plant."""

from typing import Any

from starlette.testclient import TestClient

from api.app import create_app
from api.dependencies import SESSION_COOKIE
from tests.fixtures.two_plants import Plant, TwoPlants
from warehouse.models.people import PERMISSIONS, User
from warehouse.tenancy import system_session


class Asking:
    """One person; `ask` fails when the status is not the expected one."""

    def __init__(self, plants: TwoPlants, plant: Plant, **columns: Any) -> None:
        self.plants, self.plant = plants, plant
        with system_session(plants.installation.db, "test") as session:
            user = session.get_one(User, plant.person.user_id)
            user.permissions = dict.fromkeys(PERMISSIONS, True)
            for name, value in columns.items():
                setattr(user, name, value)
        self.client = TestClient(create_app(plants.installation), headers={"origin": "http://testserver"}, follow_redirects=False)
        self.client.cookies.set(SESSION_COOKIE, plants.token(plant))

    def ask(self, method: str, path: str, status: int = 200, /, *, key: str | None = None, **body: Any) -> Any:
        """The JSON of the answer; keywords are the body, or the query of GET and DELETE."""
        sent = {"json": body} if method not in {"GET", "DELETE"} else {"params": body}
        answer = self.client.request(method, f"/v1{path}", headers={"idempotency-key": key} if key else {}, **sent)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None
