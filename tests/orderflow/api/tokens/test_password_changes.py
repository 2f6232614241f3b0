"""K13: what a new password ends."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIClient

from orderflow.api.models import ApiToken
from orderflow.api.tokens import service as token_service
from orderflow.tenancy.models import AuditEntry, Membership, Organization
from orderflow.tenancy.roles import Role
from tests.support.tenants import AdminClient, list_url, log_in, make_user, page_url

OLD, NEW = "correct horse battery", "staple battery horse correct"
LIST = "/api/v1/draft-orders/"


@pytest.fixture
def user(organization: Organization) -> User:
    cache.clear()
    row = User.objects.create_user("ina", password=OLD, is_staff=True)
    Membership.objects.create(user=row, organization=organization, role=Role.ADMIN)
    return row


@pytest.fixture
def of_login(user: User) -> str:
    response = APIClient().post("/api/v1/token/", {"username": "ina", "password": OLD})
    return str(response.json()["token"])


@pytest.fixture
def of_program(user: User) -> str:
    return token_service.make(user, "Web shop", actor="test")[1]


def opens(token: str) -> bool:
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return int(api.get(LIST).status_code) == 200


def in_admin(organization: Organization, user: User) -> Any:
    data = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    return log_in(organization).post(f"/admin/auth/user/{user.pk}/password/", data, follow=True)


def by_the_user(user: User) -> None:
    client = Client()
    assert client.login(username="ina", password=OLD)
    data = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}
    assert client.post("/admin/password_change/", data).status_code == 302


def test_an_administrator_who_sets_a_password_ends_the_logins(
    organization: Organization, user: User, of_login: str, of_program: str
) -> None:
    assert opens(of_login)
    page = in_admin(organization, user).content.decode()
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert (opens(of_login), opens(of_program)) == (False, True)
    assert "API tokens of ina still work: Web shop." in page
    assert (
        AuditEntry.objects.filter(action="revoke API token").latest("id").detail["why"] == "The password was changed."
    )


def test_a_user_who_changes_the_password_ends_the_logins(user: User, of_login: str, of_program: str) -> None:
    by_the_user(user)
    assert (opens(of_login), opens(of_program)) == (False, True)


def test_a_user_without_a_password_has_no_logins(user: User, of_login: str, of_program: str) -> None:
    user.set_unusable_password()
    user.save()
    assert (opens(of_login), opens(of_program)) == (False, True)


def test_a_login_that_refreshes_the_hash_ends_nothing(user: User, of_login: str, settings: Any) -> None:
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    before = user.password
    assert Client().login(username="ina", password=OLD)
    user.refresh_from_db()
    assert user.password != before
    assert opens(of_login)


def test_other_changes_of_a_user_end_nothing(user: User, of_login: str) -> None:
    user.first_name = "Ina"
    user.save()
    assert opens(of_login)


def test_a_deactivated_user_has_no_token_that_opens_anything(user: User, of_login: str, of_program: str) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert (opens(of_login), opens(of_program)) == (False, False)
    assert ApiToken.objects.count() == 2


@pytest.mark.parametrize("name", ["rosa@globex", "Rosa@Globex"])
def test_adding_a_user_does_not_say_whom_other_organizations_have(organization: Organization, name: str) -> None:
    globex = Organization.objects.create(name="Globex", slug="globex")
    make_user(globex, Role.VIEWER, "rosa@globex")
    data = {
        "username": name, "email": "", "password1": NEW, "password2": NEW, "usable_password": "true", "is_staff": "on",
        "membership-TOTAL_FORMS": "1", "membership-INITIAL_FORMS": "0", "membership-0-role": "VIEWER",
        "membership-0-organization": str(organization.pk),
    }  # fmt: skip
    page = log_in(organization).post(list_url(User, "add"), data).content.decode()
    assert "This username is not available. Choose another" in page
    assert "exists" not in page


def test_renaming_a_user_does_not_either(organization: Organization, user: User) -> None:
    make_user(None, Role.VIEWER, "rosa@globex")
    client = log_in(organization)
    assert isinstance(client, AdminClient)
    data = {
        "username": "rosa@globex", "first_name": "", "last_name": "", "email": "", "is_active": "on", "is_staff": "on",
        "membership-TOTAL_FORMS": "0", "membership-INITIAL_FORMS": "0",
    }  # fmt: skip
    page = client.post(page_url(user), data).content.decode()
    assert "This username is not available." in page
    assert "already exists" not in page
