from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from orderflow.tenancy.roles import Action, Role
from orderflow.tenancy.scope import may, membership_of

if TYPE_CHECKING:
    # The module of views imports the permissions that the settings name.
    from rest_framework.views import APIView


class RolePermission(BasePermission):
    """Asks the table of roles for what the view declares: `needs`, an `Action` by the name of the view's action.

    What is not declared is refused to everybody.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not request.user.is_authenticated:
            return False
        action = getattr(view, "action", None)
        if action is None and hasattr(view, "action_map"):
            # A view set without an action for this method: nothing will run, and the framework answers 405.
            return True
        needed: Action | None = getattr(view, "needs", {}).get(action)
        allowed = needed is not None and may(request.user, needed)
        if not allowed:
            self.message = _refusal(request.user, needed)
        return allowed


def _refusal(user: Any, needed: Action | None) -> str:
    membership = membership_of(user)
    if needed is None:
        return "Nobody may do this."
    if membership is None:
        return "Your account belongs to no organization. Ask an administrator to add you to one."
    role = Role(membership.role).label
    return f"Your role is {role}, which may not {needed}. Ask an administrator of {membership.organization}."
