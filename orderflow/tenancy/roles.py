"""Who may do what: the one table that API, admin and documentation read."""

from enum import StrEnum

from django.db import models


class Role(models.TextChoices):
    ADMIN = "ADMIN", "Administrator"
    INTEGRATOR = "INTEGRATOR", "Integrator"
    OPS = "OPS", "Operator"
    VIEWER = "VIEWER", "Viewer"


class Action(StrEnum):
    READ = "read"
    EDIT_ORDERS = "edit orders"
    APPROVE = "approve orders"
    PUSH = "push and retry orders"
    EDIT_CONNECTIONS = "edit connections"
    TEST_CONNECTIONS = "test and resume connections"
    IMPORT = "import orders"
    EDIT_MEMBERS = "edit the organization and its members"


ALLOWED: dict[Role, frozenset[Action]] = {
    Role.ADMIN: frozenset(Action),
    Role.INTEGRATOR: frozenset(
        {Action.READ, Action.EDIT_CONNECTIONS, Action.TEST_CONNECTIONS, Action.IMPORT, Action.EDIT_ORDERS}
    ),
    Role.OPS: frozenset({Action.READ, Action.EDIT_ORDERS, Action.APPROVE, Action.PUSH, Action.TEST_CONNECTIONS}),
    Role.VIEWER: frozenset({Action.READ}),
}


def role_text(role: Role) -> str:
    """What the role may do, for people who choose one."""
    allowed = [action.value for action in Action if action in ALLOWED[role]]
    return f"{role.label}: may {'do everything' if len(allowed) == len(Action) else ', '.join(allowed)}"
