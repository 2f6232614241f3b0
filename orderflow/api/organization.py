from orderflow.api.errors.problems import Problem
from orderflow.tenancy.models import Organization
from orderflow.tenancy.scope import User, organization_of


def require_organization(user: User) -> Organization:
    """Where a new row goes. A superuser may see every organization and belong to none."""
    organization = organization_of(user)
    if organization is None:
        text = "You belong to no organization, so there is none that this could be created in. Become a member of one."
        raise Problem("no_organization", text)
    return organization
