from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from orderflow.tenancy.models import AuditEntry, Membership, Organization
from orderflow.tenancy.roles import Role
from tests.support.tenants import list_url, log_in, log_in_superuser, make_user, page_url

PASSWORD = "long enough to pass"
NOBODY_TOLD = {"notice_recipients-TOTAL_FORMS": 0, "notice_recipients-INITIAL_FORMS": 0}


@pytest.fixture
def client(acme: Organization) -> Client:
    return log_in(acme, Role.ADMIN)


def add_user(client: Client, **changes: Any) -> str:
    data = {
        "username": "new", "email": "", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD,
        "is_staff": "on", "membership-TOTAL_FORMS": 1, "membership-INITIAL_FORMS": 0, "membership-0-role": Role.OPS,
    }  # fmt: skip
    return client.post(list_url(User, "add"), data | changes, follow=True).content.decode()


def change_user(client: Client, user: User, **changes: Any) -> int:
    data = {
        "username": user.username, "is_active": "on", "is_staff": "on",
        "membership-TOTAL_FORMS": 1, "membership-INITIAL_FORMS": 1, "membership-0-id": user.membership.pk,
        "membership-0-user": user.pk, "membership-0-role": user.membership.role,
    }  # fmt: skip
    return client.post(page_url(user), data | changes).status_code


def test_an_administrator_adds_people_to_the_own_organization(
    client: Client, acme: Organization, globex: Organization
) -> None:
    """S1."""
    add_user(client, **{"membership-0-organization": globex.pk}, is_superuser="on")
    user = User.objects.get(username="new")
    assert (user.membership.organization, user.membership.role) == (acme, Role.OPS)
    assert (user.is_superuser, user.is_staff, user.check_password(PASSWORD)) == (False, True, True)
    assert AuditEntry.objects.get(organization=acme).action == "add user"


def test_a_person_without_a_role_is_not_added(client: Client) -> None:
    page = add_user(client, **{"membership-TOTAL_FORMS": 0})
    assert "at least 1" in page
    assert not User.objects.filter(username="new").exists()


def test_a_weak_password_is_refused(client: Client) -> None:
    assert "at least 12 characters" in add_user(client, password1="short", password2="short")


def test_a_role_is_changed_and_the_change_is_on_record(client: Client, acme: Organization) -> None:
    user = make_user(acme, Role.VIEWER, "pat")
    assert change_user(client, user, **{"membership-0-role": Role.ADMIN}) == 302
    assert Membership.objects.get(user=user).role == Role.ADMIN
    entry = AuditEntry.objects.get(organization=acme)
    assert (entry.actor, entry.action, entry.subject_id) == ("admin@acme", "edit user", str(user.pk))
    assert "Role" in entry.detail["changes"]


def test_nobody_is_made_a_superuser_or_moved_by_an_administrator(
    client: Client, acme: Organization, globex: Organization
) -> None:
    """S14."""
    user = make_user(acme, Role.VIEWER, "pat")
    more = {"is_superuser": "on", "user_permissions": "1", "groups": "1", "membership-0-organization": globex.pk}
    assert change_user(client, user, **more) == 302
    user = User.objects.get(pk=user.pk)
    assert (user.is_superuser, user.user_permissions.count(), user.membership.organization) == (False, 0, acme)


def test_a_superuser_of_the_organization_is_out_of_an_administrators_reach(client: Client, acme: Organization) -> None:
    """S14. Whoever may set a password may become that person."""
    user = make_user(acme, Role.VIEWER, "boss")
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    assert "boss" not in client.get(list_url(User)).content.decode()
    assert client.get(page_url(user)).status_code == 404
    assert client.post(f"/admin/auth/user/{user.pk}/password/", {}).status_code == 404


def test_an_administrator_sets_a_password_and_no_page_shows_it(client: Client, acme: Organization) -> None:
    user = make_user(acme, Role.VIEWER, "pat")
    data = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    page = client.post(f"/admin/auth/user/{user.pk}/password/", data, follow=True).content.decode()
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert PASSWORD not in page


@pytest.mark.parametrize("role", [Role.INTEGRATOR, Role.OPS, Role.VIEWER])
def test_people_are_for_administrators_only(acme: Organization, role: Role) -> None:
    """S14."""
    client = log_in(acme, role)
    assert client.get(list_url(User)).status_code == 403
    assert list_url(User) not in client.get("/admin/").content.decode()


def test_only_a_superuser_adds_organizations(client: Client) -> None:
    data = {"name": "New", "slug": "new"} | NOBODY_TOLD
    assert client.post(list_url(Organization, "add"), data).status_code == 403
    assert log_in_superuser().post(list_url(Organization, "add"), data).status_code == 302
    assert Organization.objects.filter(slug="new").exists()


def test_a_slug_that_names_no_folder_is_refused(db: None) -> None:
    page = log_in_superuser().post(list_url(Organization, "add"), {"name": "Up", "slug": "../up"})
    assert "Lower-case letters, digits and single hyphens." in page.content.decode()


def test_a_slug_stays_once_it_is_given(client: Client, acme: Organization) -> None:
    """Folders and documents carry it."""
    assert client.post(page_url(acme), {"name": "Acme Ltd", "slug": "other"} | NOBODY_TOLD).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.slug) == ("Acme Ltd", "acme")


def test_the_past_is_not_edited(client: Client, acme: Organization) -> None:
    """S19. Not by a superuser either."""
    client.post(page_url(acme), {"name": "Acme Ltd"} | NOBODY_TOLD)
    entry = AuditEntry.objects.get()
    for person in (client, log_in_superuser()):
        page = person.get(page_url(entry)).content.decode()
        assert 'name="actor"' not in page
        assert person.post(page_url(entry), {"actor": "somebody else"}).status_code == 403
        assert person.post(page_url(entry, "delete"), {"post": "yes"}).status_code == 403
    assert AuditEntry.objects.get().actor == "admin@acme"
