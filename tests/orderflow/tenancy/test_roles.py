from pathlib import Path

import pytest

from orderflow.tenancy.roles import ALLOWED, Action, Role

CONFIGURATION = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"

# Written out again on purpose: who may do what changes only when somebody changes it in two places.
MAY = {
    (Role.ADMIN, Action.READ): True,
    (Role.ADMIN, Action.EDIT_ORDERS): True,
    (Role.ADMIN, Action.APPROVE): True,
    (Role.ADMIN, Action.PUSH): True,
    (Role.ADMIN, Action.EDIT_CONNECTIONS): True,
    (Role.ADMIN, Action.TEST_CONNECTIONS): True,
    (Role.ADMIN, Action.IMPORT): True,
    (Role.ADMIN, Action.EDIT_MEMBERS): True,
    (Role.INTEGRATOR, Action.READ): True,
    (Role.INTEGRATOR, Action.EDIT_ORDERS): True,
    (Role.INTEGRATOR, Action.APPROVE): False,
    (Role.INTEGRATOR, Action.PUSH): False,
    (Role.INTEGRATOR, Action.EDIT_CONNECTIONS): True,
    (Role.INTEGRATOR, Action.TEST_CONNECTIONS): True,
    (Role.INTEGRATOR, Action.IMPORT): True,
    (Role.INTEGRATOR, Action.EDIT_MEMBERS): False,
    (Role.OPS, Action.READ): True,
    (Role.OPS, Action.EDIT_ORDERS): True,
    (Role.OPS, Action.APPROVE): True,
    (Role.OPS, Action.PUSH): True,
    (Role.OPS, Action.EDIT_CONNECTIONS): False,
    (Role.OPS, Action.TEST_CONNECTIONS): True,
    (Role.OPS, Action.IMPORT): False,
    (Role.OPS, Action.EDIT_MEMBERS): False,
    (Role.VIEWER, Action.READ): True,
    (Role.VIEWER, Action.EDIT_ORDERS): False,
    (Role.VIEWER, Action.APPROVE): False,
    (Role.VIEWER, Action.PUSH): False,
    (Role.VIEWER, Action.EDIT_CONNECTIONS): False,
    (Role.VIEWER, Action.TEST_CONNECTIONS): False,
    (Role.VIEWER, Action.IMPORT): False,
    (Role.VIEWER, Action.EDIT_MEMBERS): False,
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_a_role_may_do_what_the_table_says_and_nothing_else(role: Role, action: Action) -> None:
    """S14."""
    assert (action in ALLOWED[role]) is MAY[role, action]


def test_the_documentation_prints_the_table() -> None:
    """S14."""
    section = CONFIGURATION.read_text(encoding="utf-8").partition("\n## Roles\n")[2].partition("\n## ")[0]
    table = [line.removeprefix("|").removesuffix("|").split("|") for line in section.splitlines() if line[:1] == "|"]
    (_, *labels), _, *rows = [[cell.strip() for cell in line] for line in table]
    roles = [next(role for role in Role if role.label == label) for label in labels]
    assert [Action(action) for action, *_ in rows] == list(Action)
    assert roles == list(Role)
    assert {cell for _, *cells in rows for cell in cells} == {"yes", ""}
    printed = {
        role: {Action(action) for action, *cells in rows if cells[place] == "yes"} for place, role in enumerate(roles)
    }
    assert printed == ALLOWED
