"""Who is told, in the admin."""

import pytest
from django.test import Client

from exports.incidents.models import Recipient
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.support.tenants import log_in, page_url


def form(organization: Organization, *addresses: str, kept: tuple[Recipient, ...] = ()) -> dict[str, object]:
    prefix = "notice_recipients"
    data: dict[str, object] = {
        "name": organization.name,
        f"{prefix}-TOTAL_FORMS": len(kept) + len(addresses),
        f"{prefix}-INITIAL_FORMS": len(kept),
    }
    for number, row in enumerate(kept):
        data |= {f"{prefix}-{number}-id": row.pk, f"{prefix}-{number}-organization": organization.pk}
        data |= {f"{prefix}-{number}-email": row.email, f"{prefix}-{number}-DELETE": "on"}
    for number, address in enumerate(addresses, start=len(kept)):
        data |= {f"{prefix}-{number}-organization": organization.pk, f"{prefix}-{number}-email": address}
        data |= {f"{prefix}-{number}-failures": "on"}
    return data


def test_an_administrator_adds_and_removes_them(organization: Organization) -> None:
    client = log_in(organization, Role.ADMIN)
    assert client.post(page_url(organization), form(organization, "night@acme.example")).status_code == 302
    row = Recipient.objects.get()
    assert (row.organization, row.connections, row.failures, row.answers) == (organization, False, True, False)
    assert client.post(page_url(organization), form(organization, kept=(row,))).status_code == 302
    assert not Recipient.objects.exists()


@pytest.mark.parametrize("address", ["nobody", "a@b.example\nBcc: c@d.example"])
def test_what_is_no_address_is_refused(organization: Organization, address: str) -> None:
    """S16."""
    client = log_in(organization, Role.ADMIN)
    assert client.post(page_url(organization), form(organization, address)).status_code == 200
    assert not Recipient.objects.exists()


@pytest.mark.parametrize("role", [Role.INTEGRATOR, Role.OPS, Role.VIEWER])
def test_nobody_else_does(organization: Organization, role: Role) -> None:
    """S14."""
    client = log_in(organization, role)
    assert client.post(page_url(organization), form(organization, "thief@evil.example")).status_code == 403
    assert not Recipient.objects.exists()


def test_another_organizations_are_not_seen(organization: Organization) -> None:
    """S1."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    Recipient.objects.create(organization=globex, email="ops@globex.example")
    client = log_in(organization, Role.ADMIN)
    assert "globex" not in client.get(page_url(organization)).content.decode()
    assert client.post(page_url(globex), form(globex, "thief@evil.example")).status_code == 404
    assert Recipient.objects.count() == 1


def test_the_page_says_that_no_mail_leaves(organization: Organization, settings: object) -> None:
    client: Client = log_in(organization, Role.ADMIN)
    assert "EMAIL_URL is not set" in client.get(page_url(organization)).content.decode()
    settings.EMAIL_URL = "smtp://mail.acme.example"  # type: ignore[attr-defined]
    assert "EMAIL_URL is not set" not in client.get(page_url(organization)).content.decode()
