"""What a person may do, from their role and their permissions. Pure."""

from warehouse.models.people import PERMISSIONS, User


def permissions_of(user: User) -> dict[str, bool]:
    """The permissions object of a person: everything for a super admin, what was given to an admin, nothing for a viewer."""
    given = user.permissions or {}
    return {p: user.role == "super_admin" or (user.role == "admin" and given.get(p) is True) for p in PERMISSIONS}


def status_of(user: User) -> str:
    """`active`, `invited` (has not taken up the invitation yet) or `deactivated`."""
    if user.is_active:
        return "active"
    return "invited" if user.invite_token else "deactivated"
