"""People of the caller's factory: for super admins. Somebody of another factory does not exist here."""

from typing import Annotated

from fastapi import BackgroundTasks, Path, Query, Request

from api.dependencies import Inst, PageOf, SuperAdmin
from api.origin import address_of
from api.routers.auth import token_for
from api.routing import Router
from api.schemas.auth import Token
from api.schemas.common import Done, Page
from api.schemas.users import AcceptIn, InviteIn, PersonOut, RightsIn
from rules.notify import account_mails
from warehouse.access import people, second_factor
from warehouse.access.rights import permissions_of, status_of
from warehouse.models.people import User

router = Router(prefix="/users", tags=["users"])
open_router = Router(prefix="/users", tags=["users"])
UserId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Reason = Annotated[str | None, Query(max_length=1000, description="For the audit trail.")]


@router.get("", operation_id="listUsers")
def list_users(who: SuperAdmin, inst: Inst, paging: PageOf) -> Page[PersonOut]:
    """Everybody by e-mail, also those who are invited or deactivated."""
    found = people.people(inst.db, who.factory_id)
    shown = found[paging.offset : paging.offset + paging.per_page]
    return Page(data=[_out(user) for user in shown], total=len(found), page=paging.page, per_page=paging.per_page)


@router.post("/invite", operation_id="inviteUser", status_code=201)
def invite_user(body: InviteIn, who: SuperAdmin, inst: Inst, later: BackgroundTasks) -> PersonOut:
    """Mails a link, which works once, for some days, to somebody new; or a new one to somebody who did not take up theirs."""
    wanted = people.Wanted(body.email, body.name, body.whatsapp_number, body.role, body.permissions.given())
    made = people.invite(inst.db, inst.settings, inst.clock, who, wanted)
    text = account_mails.invitation(inst.settings, made.user.email, who.factory_name, made.token, made.expires_at)
    later.add_task(account_mails.send, inst.settings, inst.clock, "invitation", made.user.email, text)
    return _out(made.user)


@open_router.post(
    "/accept-invite", operation_id="acceptInvite", responses={410: {"description": "The link was used, withdrawn or is too old."}}
)
def accept_invite(body: AcceptIn, inst: Inst, request: Request) -> Token:
    """Sets the password of the invited person, with the secret of the mail's link, and signs them in."""
    address, agent = address_of(request), request.headers.get("user-agent")
    opened = people.accept_invitation(
        inst.db, inst.settings, inst.clock, body.token, body.password, name=body.name, address=address, user_agent=agent
    )
    return token_for(inst, opened)


@router.patch("/{user_id}/permissions", operation_id="updateUserPermissions")
def update_permissions(user_id: UserId, body: RightsIn, who: SuperAdmin, inst: Inst) -> PersonOut:
    """Changes what a person may do; it holds from their next request on. Permissions that are not named stay."""
    given, role, reason = body.permissions.given(), body.role, body.reason
    return _out(people.set_rights(inst.db, inst.clock, who, user_id, permissions=given, role=role, reason=reason))


@router.delete("/{user_id}", operation_id="deactivateUser")
def deactivate_user(user_id: UserId, who: SuperAdmin, inst: Inst, reason: Reason = None) -> Done:
    """Takes a person's access away at once: sign-ins and API keys end, an open invitation is withdrawn. Their traces stay."""
    people.deactivate(inst.db, inst.clock, who, user_id, reason=reason)
    return Done(message="User deactivated successfully")


@router.post("/{user_id}/reactivate", operation_id="reactivateUser")
def reactivate_user(user_id: UserId, who: SuperAdmin, inst: Inst, reason: Reason = None) -> PersonOut:
    """Gives a deactivated person the access back; they sign in anew."""
    return _out(people.reactivate(inst.db, inst.clock, who, user_id, reason=reason))


@router.delete("/{user_id}/second-factor", operation_id="removeSecondFactorOfUser", status_code=204)
def remove_second_factor(
    user_id: UserId,
    who: SuperAdmin,
    inst: Inst,
    reason: Annotated[str, Query(min_length=3, max_length=1000, description="For the audit trail.")],
) -> None:
    """For somebody who lost their phone and their recovery codes: they sign in with the password alone until they set it up anew."""
    second_factor.remove_of(inst.db, inst.clock, who, user_id, reason)


def _out(user: User) -> PersonOut:
    own = {name: getattr(user, name) for name in PersonOut.model_fields if name not in {"permissions", "status"}}
    return PersonOut(**own, permissions=permissions_of(user), status=status_of(user))
