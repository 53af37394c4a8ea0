"""What people set up around alerts, one of each kind, named after its factory: for tests that look at it as somebody of another one."""

from datetime import timedelta

from rules.notify.wishes import ChainStep, NewChain, add_webhook, save_chain
from rules.silences import NewSilence, silence
from tests.fixtures.two_plants import Plant, TwoPlants
from warehouse.models.alerting import AlertEvent, Notification
from warehouse.tenancy import tenant_session


def add_alert_work(plants: TwoPlants, plant: Plant) -> dict[str, int]:
    """Ids by the names that the API's paths use."""
    inst, who = plants.installation, plant.person
    common = (inst.db, inst.clock, who.factory_id)
    now, region = inst.clock.now(), f"{plant.hot.split('-', maxsplit=1)[0]} hall"
    asked = NewSilence(f"{plant.prefix} maintenance", now, now + timedelta(hours=1), device_id=plant.devices[plant.hot])
    quiet = silence(*common, asked, user_id=who.user_id)
    chain = save_chain(*common, NewChain(f"{plant.prefix} night shift", [ChainStep(10, who.user_id)]), user_id=who.user_id)
    hook = add_webhook(*common, f"{plant.prefix} CMMS", f"https://{plant.prefix.lower()}.example/hook", "low", user_id=who.user_id)
    with tenant_session(inst.db, who.factory_id) as session:
        dead = Notification(
            alert_id=plant.alerts[0],
            channel="email",
            recipient=who.email,
            subject=f"{plant.prefix} subject",
            body=region,
            idempotency_key=f"test:{plant.prefix}",
            status="failed",
            last_error="refused",
        )
        event = AlertEvent(
            alert_id=plant.alerts[0], kind="commented", happened_at=now, user_id=who.user_id, comment=f"{plant.prefix} comment"
        )
        session.add_all([dead, event])
        session.flush()
        return {"silence_id": quiet.id, "chain_id": chain.chain.id, "webhook_id": hook.id, "message_id": dead.id}
