from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from orderflow.api.models import ApiToken
from orderflow.tenancy.models import AuditEntry, Membership, Organization
from orderflow.tenancy.roles import Role
from tests.support.tenants import make_user


@pytest.fixture
def user(organization: Organization) -> User:
    return make_user(organization, Role.OPS, "ops")


def create_token(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_token", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_token_alone_goes_to_standard_output(user: User) -> None:
    """S12."""
    out, err = create_token("ops", "--name", "Web shop")
    token = out.removesuffix("\n")
    assert token.startswith("of_")
    assert len(token.split()) == 1
    assert token not in err
    row = ApiToken.objects.get()
    assert f"Web shop ({row.token_key}…) acts for ops (Operator, Acme)" in err
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert api.get("/api/v1/draft-orders/").status_code == 200
    assert token not in str(list(ApiToken.objects.values()))


def test_making_one_is_on_record_without_the_token(user: User) -> None:
    """S12."""
    token = create_token("ops", "--name", "Web shop")[0].strip()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("create_token", "add API token")
    assert entry.subject_id == str(ApiToken.objects.get().pk)
    assert entry.detail == {"name": "Web shop", "user": "ops"}
    assert token not in str(AuditEntry.objects.values())


@pytest.mark.parametrize(("days", "expected"), [((), 90), (("--days", "1"), 1), (("--days", "730"), 730)], ids=str)
def test_it_lives_as_long_as_was_said(days: tuple[str, ...], expected: int, user: User) -> None:
    create_token("ops", "--name", "x", *days)
    left = ApiToken.objects.get().expiry - timezone.now()
    assert timedelta(days=expected, minutes=-1) < left <= timedelta(days=expected)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nobody", "--name", "x"), "There is no user 'nobody'. Check the name"),
        (("ops", "--name", " "), "name of 1 to 100 characters"),
        (("ops", "--name", "x" * 101), "name of 1 to 100 characters"),
        (("ops", "--name", "x", "--days", "0"), "from 1 to 730 days, not 0"),
        (("ops", "--name", "x", "--days", "731"), "from 1 to 730 days, not 731"),
        (("ops",), "--name"),
    ],
    ids=str,
)
def test_what_makes_no_token_is_told(arguments: tuple[str, ...], says: str, user: User) -> None:
    with pytest.raises(CommandError, match=says):
        create_token(*arguments)
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda: Membership.objects.all().delete(), "belongs to no organization"),
        (lambda: User.objects.update(is_active=False), "is deactivated"),
    ],
    ids=["no organization", "deactivated"],
)
def test_a_user_for_whom_it_would_open_nothing_gets_none(spoil: Any, says: str, user: User) -> None:
    spoil()
    with pytest.raises(CommandError, match=says):
        create_token("ops", "--name", "x")
    assert not ApiToken.objects.exists()
