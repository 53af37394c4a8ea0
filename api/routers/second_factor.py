"""One's authenticator app: turning it on and off, and new recovery codes."""

from api.dependencies import Inst, Person
from api.routing import Router
from api.schemas.account import Code, EnrolmentOut, PasswordAgain, PasswordAndCode, RecoveryCodes, SecondFactorState
from warehouse.access import second_factor

router = Router(prefix="/second-factor", tags=["second factor"])


@router.get("", operation_id="getSecondFactor")
def get_second_factor(who: Person, inst: Inst) -> SecondFactorState:
    """Whether sign-in asks for a code."""
    is_on, left = second_factor.state(inst.db, who)
    return SecondFactorState(is_on=is_on, recovery_codes_left=left)


@router.post("", operation_id="beginSecondFactor", status_code=201)
def begin(body: PasswordAgain, who: Person, inst: Inst) -> EnrolmentOut:
    """A secret for the app. Nothing is asked for at sign-in until a first code was confirmed."""
    made = second_factor.begin(inst.db, inst.settings, inst.clock, who, body.password)
    return EnrolmentOut(secret=made.secret, link=made.link)


@router.post("/confirm", operation_id="confirmSecondFactor")
def confirm(body: Code, who: Person, inst: Inst) -> RecoveryCodes:
    """Turns it on with a first code of the app."""
    return RecoveryCodes(recovery_codes=second_factor.confirm(inst.db, inst.settings, inst.clock, who, body.code))


@router.post("/recovery-codes", operation_id="renewRecoveryCodes")
def renew(body: Code, who: Person, inst: Inst) -> RecoveryCodes:
    """New recovery codes; the old ones stop working."""
    return RecoveryCodes(recovery_codes=second_factor.renew_recovery_codes(inst.db, inst.settings, inst.clock, who, body.code))


@router.post("/off", operation_id="endSecondFactor", status_code=204)
def end(body: PasswordAndCode, who: Person, inst: Inst) -> None:
    """Turns it off, with the password and a code of the app or a recovery code."""
    second_factor.end(inst.db, inst.settings, inst.clock, who, body.password, body.code)
