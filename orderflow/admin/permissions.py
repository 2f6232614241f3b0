"""Permissions of the admin's actions that several pages share."""

from django.http import HttpRequest

from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may


class PushPermission:
    """For a page or an extension with actions declared with `permissions=["push"]`."""

    def has_push_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Action.PUSH)
