import pytest

from orderflow.tenancy.roles import ALLOWED, Action, Role

# Written out again on purpose: who may do what changes only when somebody changes it in two places.
MAY = {
    (Role.ADMIN, Action.READ): True,
    (Role.ADMIN, Action.EDIT_ORDERS): True,
    (Role.ADMIN, Action.APPROVE): True,
    (Role.ADMIN, Action.PUSH): True,
    (Role.ADMIN, Action.EDIT_CONNECTIONS): True,
    (Role.ADMIN, Action.IMPORT): True,
    (Role.ADMIN, Action.EDIT_MEMBERS): True,
    (Role.INTEGRATOR, Action.READ): True,
    (Role.INTEGRATOR, Action.EDIT_ORDERS): True,
    (Role.INTEGRATOR, Action.APPROVE): False,
    (Role.INTEGRATOR, Action.PUSH): False,
    (Role.INTEGRATOR, Action.EDIT_CONNECTIONS): True,
    (Role.INTEGRATOR, Action.IMPORT): True,
    (Role.INTEGRATOR, Action.EDIT_MEMBERS): False,
    (Role.OPS, Action.READ): True,
    (Role.OPS, Action.EDIT_ORDERS): True,
    (Role.OPS, Action.APPROVE): True,
    (Role.OPS, Action.PUSH): True,
    (Role.OPS, Action.EDIT_CONNECTIONS): False,
    (Role.OPS, Action.IMPORT): False,
    (Role.OPS, Action.EDIT_MEMBERS): False,
    (Role.VIEWER, Action.READ): True,
    (Role.VIEWER, Action.EDIT_ORDERS): False,
    (Role.VIEWER, Action.APPROVE): False,
    (Role.VIEWER, Action.PUSH): False,
    (Role.VIEWER, Action.EDIT_CONNECTIONS): False,
    (Role.VIEWER, Action.IMPORT): False,
    (Role.VIEWER, Action.EDIT_MEMBERS): False,
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_a_role_may_do_what_the_table_says_and_nothing_else(role: Role, action: Action) -> None:
    """S14."""
    assert (action in ALLOWED[role]) is MAY[role, action]
