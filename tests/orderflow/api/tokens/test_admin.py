import re
import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.messages import INFO
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from rest_framework.test import APIClient

from orderflow.api.models import ApiToken
from orderflow.api.tokens import service as token_service
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.support.tenants import list_url, log_in, log_in_superuser, make_user, page_url


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization)


@pytest.fixture
def member(organization: Organization) -> User:
    return make_user(organization, Role.OPS, "ops")


@pytest.fixture
def token(member: User) -> ApiToken:
    return token_service.make(member, "Web shop", actor="test")[0]


def add(client: Client, user: User, **changes: Any) -> str:
    data = {"user": user.pk, "name": "Web shop", "days": 30} | changes
    return client.post(list_url(ApiToken, "add"), data, follow=True).content.decode()


def shown(page: str) -> str:
    (token,) = set(re.findall(r"of_[0-9a-f]{64}", page))
    return str(token)


def opens(token: str) -> int:
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return int(api.get("/api/v1/draft-orders/").status_code)


def test_a_new_token_is_shown_once_and_opens_the_api(client: Client, member: User) -> None:
    """S12."""
    page = add(client, member)
    assert "kept nowhere and not shown again" in page
    token, row = shown(page), ApiToken.objects.get()
    assert opens(token) == 200
    assert token not in client.get(list_url(ApiToken)).content.decode()
    assert token not in client.get(page_url(row)).content.decode()
    assert (row.user, row.name, row.token_key) == (member, "Web shop", token[:15])
    assert timedelta(days=29) < row.expiry - timezone.now() <= timedelta(days=30)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject_id) == ("admin@acme", "add API token", str(row.pk))
    assert entry.detail == {"name": "Web shop", "user": "ops"}


def test_the_token_is_in_no_table(client: Client, member: User) -> None:
    """S12."""
    token = shown(add(client, member))
    tables = {model._meta.label: list(model._base_manager.values()) for model in apps.get_models()}
    assert len(tables["api.ApiToken"]) == len(tables["admin.LogEntry"]) == 1
    assert token not in str(tables)


def test_messages_that_wait_do_not_push_the_token_into_the_session(client: Client, member: User) -> None:
    """S12. A session is a row of the database."""
    earlier, waiting = HttpResponse(), CookieStorage(RequestFactory().get("/"))
    waiting.add(INFO, secrets.token_urlsafe(1350))
    waiting.update(earlier)
    client.cookies["messages"] = earlier.cookies["messages"].value
    response = client.post(list_url(ApiToken, "add"), {"user": member.pk, "name": "Web shop", "days": 30})
    assert response.status_code == 302
    assert [key for session in Session.objects.all() for key in session.get_decoded() if "message" in key] == []
    assert opens(shown(client.get(response["Location"]).content.decode())) == 200


@pytest.mark.parametrize("days", ["0", "731", "", "x", "-1"])
def test_days_that_are_none_are_refused(days: str, client: Client, member: User) -> None:
    assert "error" in add(client, member, days=days)
    assert not ApiToken.objects.exists()


def test_a_token_needs_a_name(client: Client, member: User) -> None:
    assert "This field is required" in add(client, member, name="")
    assert not ApiToken.objects.exists()


def test_tokens_are_made_for_active_members_of_the_own_organization_only(
    client: Client, organization: Organization
) -> None:
    """S1."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    superuser = make_user(organization, Role.VIEWER, "boss")
    inactive = make_user(organization, Role.VIEWER, "gone")
    User.objects.filter(pk=superuser.pk).update(is_superuser=True)
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    others = [make_user(globex, Role.VIEWER, "stranger"), make_user(None, Role.VIEWER, "nobody"), superuser, inactive]
    page = client.get(list_url(ApiToken, "add")).content.decode()
    for user in others:
        assert f">{user.username}<" not in page
        assert "Select a valid choice" in add(client, user)
    assert not ApiToken.objects.exists()


def test_a_superuser_makes_them_for_every_organization(member: User) -> None:
    stranger = make_user(Organization.objects.create(name="Globex", slug="globex"), Role.OPS, "stranger")
    for user in (member, stranger):
        assert opens(shown(add(log_in_superuser(), user))) == 200


def test_a_superusers_token_is_out_of_an_administrators_reach(client: Client, token: ApiToken) -> None:
    """S14."""
    User.objects.filter(pk=token.user.pk).update(is_superuser=True)
    assert "Web shop" not in client.get(list_url(ApiToken)).content.decode()
    assert client.post(page_url(token, "do", "revoke"), {"reason": "x"}).status_code == 404
    assert ApiToken.objects.exists()


def test_only_the_name_can_be_changed(client: Client, token: ApiToken, organization: Organization) -> None:
    other = make_user(organization, Role.ADMIN, "other")
    before = ApiToken.objects.values().get()
    data = {"name": "Old shop", "user": other.pk, "days": 700, "expiry": "2099-01-01", "digest": "0" * 128}
    assert client.post(page_url(token), data).status_code == 302
    assert ApiToken.objects.values().get() == before | {"name": "Old shop"}
    assert AuditEntry.objects.latest("id").action == "edit API token"


def test_a_revoked_token_opens_nothing_and_is_on_record(client: Client, member: User) -> None:
    """S12."""
    text = shown(add(client, member))
    row = ApiToken.objects.get()
    response = client.post(page_url(row, "do", "revoke"), {"reason": "It was in a log."}, follow=True)
    assert response.redirect_chain == [(list_url(ApiToken), 302)]
    assert "1 API token revoked" in response.content.decode()
    assert opens(text) == 401
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.action, entry.subject_id) == ("admin@acme", "revoke API token", str(row.pk))
    assert entry.detail == {"name": "Web shop", "user": "ops", "why": "It was in a log."}
    assert client.get(page_url(row)).status_code == 404


def test_many_are_revoked_from_the_list(client: Client, member: User, token: ApiToken) -> None:
    others = [token_service.make(member, f"Shop {n}", actor="test")[0] for n in range(2)]
    chosen = [row.pk for row in (token, others[0])]
    client.post(list_url(ApiToken), {"action": "revoke", "_selected_action": chosen})
    assert ApiToken.objects.get() == others[1]
    assert AuditEntry.objects.filter(action="revoke API token").count() == 2


def test_the_list_tells_what_each_is_and_marks_what_has_ended(client: Client, token: ApiToken, member: User) -> None:
    page = client.get(list_url(ApiToken)).content.decode()
    assert all(text in page for text in ("Web shop", "ops", "Operator", f"{token.token_key}…", "Valid"))
    assert "Expired" not in page
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert "Expired" in client.get(list_url(ApiToken)).content.decode()
    assert "Expired" in client.get(page_url(token)).content.decode()
    ApiToken.objects.update(expiry=timezone.now() + timedelta(days=13, hours=1))
    page = client.get(list_url(ApiToken)).content.decode().replace("\N{NO-BREAK SPACE}", " ")
    assert "Expires in 1 week" in page
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert "User deactivated" in client.get(list_url(ApiToken)).content.decode()


@pytest.mark.parametrize("role", [Role.INTEGRATOR, Role.OPS, Role.VIEWER])
def test_tokens_are_for_administrators_only(role: Role, organization: Organization, token: ApiToken) -> None:
    """S14."""
    client = log_in(organization, role)
    assert client.get(list_url(ApiToken)).status_code == 403
    assert list_url(ApiToken) not in client.get("/admin/").content.decode()
