from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from tests.conftest import ApiAs
from tests.orderflow.api.test_problems import problem

TOKEN = "/api/v1/token/"
PASSWORD = " correct horse battery staple "


@pytest.fixture(autouse=True)
def _fresh_throttles() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ops", password=PASSWORD)


def log_in(username: str = "ops", password: str = PASSWORD, **headers: Any) -> Any:
    return APIClient().post(TOKEN, {"username": username, "password": password}, **headers)


def test_a_login_gives_a_token_that_opens_the_api(user: User, api_as: ApiAs) -> None:
    response = log_in()
    assert response.status_code == 200
    assert response.json().keys() == {"token", "expiry"}
    expiry = datetime.fromisoformat(response.json()["expiry"])
    assert timedelta(days=89) < expiry - timezone.now() < timedelta(days=91)
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {response.json()['token']}")
    assert api.get("/api/v1/draft-orders/").status_code == 403
    user.refresh_from_db()
    assert user.last_login is not None


def test_the_token_is_not_in_the_database(user: User) -> None:
    """S12."""
    token = log_in().json()["token"]
    assert token.startswith("of_")
    assert len(token) >= 3 + 32
    assert token not in str(list(AuthToken.objects.values()))


@pytest.mark.parametrize(
    ("username", "password"), [("ops", "wrong"), ("nobody", PASSWORD), ("ops", PASSWORD.strip()), ("OPS", PASSWORD)]
)
def test_wrong_credentials_all_look_alike(username: str, password: str, user: User) -> None:
    response = log_in(username, password)
    assert "do not match" in problem(response, 401, "invalid_credentials")["detail"]
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_deactivated_user_cannot_log_in(user: User) -> None:
    user.is_active = False
    user.save()
    problem(log_in(), 401, "invalid_credentials")


def test_a_stale_token_in_the_header_keeps_nobody_from_logging_in(user: User) -> None:
    assert log_in(HTTP_AUTHORIZATION="Bearer of_stale").status_code == 200


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/username", "/password"]),
        ({"username": "ops", "password": ""}, ["/password"]),
        ({"username": ["ops"], "password": "x"}, ["/username"]),
        ({"username": "ops", "password": "x" * 1025}, ["/password"]),
        ({"username": "ops", "password": "x", "otp": "1"}, ["/otp"]),
    ],
)
def test_a_login_that_is_not_whole_names_the_fields(body: object, pointers: list[str], user: User) -> None:
    errors = problem(APIClient().post(TOKEN, body), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == pointers


def test_logging_out_ends_this_token_and_no_other(user: User) -> None:
    """S12."""
    first, second = (log_in().json()["token"] for _ in range(2))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {first}")
    assert api.delete(TOKEN).status_code == 204
    assert api.delete(TOKEN).status_code == 401
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {second}")
    assert api.delete(TOKEN).status_code == 204


def test_an_expired_token_opens_nothing(user: User) -> None:
    token = log_in().json()["token"]
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    problem(api.delete(TOKEN), 401, "authentication_failed")


def test_guessing_is_throttled_by_address_whatever_the_caller_says_of_it(user: User) -> None:
    """S15."""
    answers = [log_in(f"user-{n}", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}") for n in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    problem(answers[-1], 429, "throttled")


def test_guessing_at_one_account_is_throttled_from_every_address(user: User) -> None:
    """S15."""
    answers = [log_in("ops", "wrong", REMOTE_ADDR=f"198.51.100.{n}") for n in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
