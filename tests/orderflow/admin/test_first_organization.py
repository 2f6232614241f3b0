"""From an empty installation to the first organization, and back to what needed it."""

from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from connectors.models import ERPConnection
from exports.webhooks.models import WebhookEndpoint
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.support.admin.forms import form_at
from tests.support.tenants import list_url, log_in, log_in_superuser

NEEDING = [Customer, DraftOrder, ERPConnection, WebhookEndpoint]
ADD = list_url(Organization, "add")
NOBODY_TOLD = {"notice_recipients-TOTAL_FORMS": 0, "notice_recipients-INITIAL_FORMS": 0}
ACME = {"name": "Acme", "slug": "acme", **NOBODY_TOLD}


@pytest.fixture
def root(db: None) -> Client:
    return log_in_superuser()


@pytest.mark.parametrize("model", NEEDING, ids=lambda model: model.__name__)
def test_what_needs_an_organization_leads_to_its_form_and_back(model: type[Model], root: Client) -> None:
    """A8."""
    wanted = f"{list_url(model, 'add')}?name=ROW"
    there = root.get(wanted, follow=True)
    [(address, _)] = there.redirect_chain
    assert address == f"{ADD}?{urlencode({'next': wanted})}"
    assert "Everything belongs to an organization. Create the first one, then you return here." in (
        there.content.decode()
    )
    back = root.post(address, ACME)
    assert (back.status_code, back["Location"]) == (302, wanted)
    assert (
        f'<option value="{Organization.objects.get().pk}" selected>Acme</option>' in root.get(wanted).content.decode()
    )


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_the_way_back_stays_on_this_site(elsewhere: str, root: Client) -> None:
    answer = root.post(f"{ADD}?{urlencode({'next': elsewhere})}", ACME)
    assert answer.status_code == 302
    assert "evil" not in answer["Location"]
    assert answer["Location"].startswith("/admin/")


def test_with_several_organizations_a_superuser_picks_one(root: Client) -> None:
    for slug in ("acme", "globex"):
        Organization.objects.create(name=slug.title(), slug=slug)
    form = form_at(root, list_url(Customer, "add"), id="customer_form")
    assert form.fields["organization"] == [""]


def test_the_slug_follows_the_name_and_is_explained(root: Client) -> None:
    """A8. Fixed from then on."""
    page = root.get(ADD).content.decode()
    assert "it cannot be changed later." in page
    assert "&quot;name&quot;: &quot;slug&quot;" in page
    root.post(ADD, ACME)
    page = root.get(reverse("admin:tenancy_organization_change", args=[Organization.objects.get().pk])).content.decode()
    assert 'name="slug"' not in page


def test_a_user_without_a_role_is_pointed_out_until_there_is_one(root: Client, organization: Organization) -> None:
    """A13. Saved by a superuser, who may leave the role out."""
    new = {
        "username": "new", "email": "", "usable_password": "true", "password1": "long enough to pass",
        "password2": "long enough to pass", "is_staff": "on", "membership-TOTAL_FORMS": 0,
        "membership-INITIAL_FORMS": 0,
    }  # fmt: skip
    page = root.post(list_url(User, "add"), new, follow=True).content.decode()
    warning = "new has no role in an organization and cannot see anything yet. Add a role at the end of this page"
    assert warning in page
    user = User.objects.get(username="new")
    data = {
        "username": "new", "is_active": "on", "is_staff": "on", "membership-TOTAL_FORMS": 1,
        "membership-INITIAL_FORMS": 0, "membership-0-user": user.pk, "membership-0-role": Role.VIEWER,
        "membership-0-organization": organization.pk,
    }  # fmt: skip
    address = reverse("admin:auth_user_change", args=[user.pk])
    assert warning not in root.post(address, data, follow=True).content.decode()
    assert User.objects.get(username="new").membership.role == Role.VIEWER


def test_an_organizations_own_people_never_make_the_detour(organization: Organization) -> None:
    assert log_in(organization).get(list_url(ERPConnection, "add")).status_code == 200
