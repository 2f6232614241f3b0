"""K5, K13: guessing passwords is slow, in the admin as in the API, and locks nobody else out."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from orderflow.login import limits
from tests.servers.ports import free_port
from tests.servers.redis import redis

PASSWORD = "correct horse battery"
ATTACKER, OWNER = "203.0.113.7", "198.51.100.20"
REDIS_CACHE = "django.core.cache.backends.redis.RedisCache"
Attempt = Callable[..., Any]


@pytest.fixture(autouse=True)
def rates(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, "login", "3/min")
    monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, "login-address", "6/min")
    cache.clear()
    limits._OF_THIS_PROCESS.clear()
    with time_machine.travel("2026-11-25T12:00:00Z", tick=False):
        yield


@pytest.fixture(autouse=True)
def user(db: None) -> User:
    return User.objects.create_superuser("Änne", password=PASSWORD)


def in_admin(name: str, password: str, **headers: Any) -> Any:
    return Client().post("/admin/login/", {"username": name, "password": password}, **headers)


def in_api(name: str, password: str, **headers: Any) -> Any:
    return APIClient().post("/api/v1/token/", {"username": name, "password": password}, **headers)


@pytest.fixture(params=[in_admin, in_api], ids=["admin", "api"])
def attempt(request: pytest.FixtureRequest) -> Attempt:
    way: Attempt = request.param
    return way


def succeeded(response: Any) -> bool:
    return response.status_code == 302 or "token" in response.json()


def test_a_few_attempts_at_one_account_are_accepted_from_one_address(attempt: Attempt) -> None:
    assert [attempt("Änne", "wrong", REMOTE_ADDR=ATTACKER).status_code == 429 for _ in range(4)] == [False] * 3 + [True]
    refused = attempt("Änne", PASSWORD, REMOTE_ADDR=ATTACKER)
    assert refused.status_code == 429
    assert refused["Retry-After"] == "60"


def test_the_owner_can_log_in_from_another_address(attempt: Attempt) -> None:
    for _ in range(10):
        attempt("Änne", "wrong", REMOTE_ADDR=ATTACKER)
    assert succeeded(attempt("Änne", PASSWORD, REMOTE_ADDR=OWNER))


def test_the_same_holds_again_after_the_wait(attempt: Attempt) -> None:
    for _ in range(4):
        attempt("Änne", "wrong", REMOTE_ADDR=ATTACKER)
    with time_machine.travel("2026-11-25T12:01:01Z", tick=False):
        assert succeeded(attempt("Änne", PASSWORD, REMOTE_ADDR=ATTACKER))


@pytest.mark.parametrize("other", ["änne", " Änne ", "ÄNNE", "A\u0308nne", "Änne\u3000", "Äₙne"], ids=ascii)
def test_spellings_of_a_name_count_together(attempt: Attempt, other: str) -> None:
    for _ in range(3):
        attempt("Änne", "wrong", REMOTE_ADDR=ATTACKER)
    assert attempt(other, "wrong", REMOTE_ADDR=ATTACKER).status_code == 429


def test_attempts_at_many_accounts_from_one_address_count_together(attempt: Attempt) -> None:
    statuses = [attempt(f"user-{n}", "wrong", REMOTE_ADDR=ATTACKER).status_code for n in range(7)]
    assert [status == 429 for status in statuses] == [False] * 6 + [True]


def test_admin_and_api_count_together() -> None:
    for way in (in_admin, in_api, in_admin):
        assert way("Änne", "wrong", REMOTE_ADDR=ATTACKER).status_code != 429
    assert [way("Änne", PASSWORD, REMOTE_ADDR=ATTACKER).status_code for way in (in_admin, in_api)] == [429, 429]


def test_the_addresses_of_one_ipv6_network_count_together(attempt: Attempt) -> None:
    for n in range(3):
        attempt("Änne", "wrong", REMOTE_ADDR=f"2001:db8::{n}")
    assert attempt("Änne", "wrong", REMOTE_ADDR="2001:db8::ffff:1").status_code == 429
    assert succeeded(attempt("Änne", PASSWORD, REMOTE_ADDR="2001:db8:0:1::1"))


def test_an_address_counts_as_the_same_in_both_of_its_forms(attempt: Attempt) -> None:
    for _ in range(3):
        attempt("Änne", "wrong", REMOTE_ADDR=ATTACKER)
    assert attempt("Änne", "wrong", REMOTE_ADDR=f"::ffff:{ATTACKER}").status_code == 429


@pytest.mark.parametrize("behind_proxy", [False, True])
def test_a_proxy_is_believed_only_where_there_is_one(attempt: Attempt, behind_proxy: bool, settings: Any) -> None:
    settings.BEHIND_TLS_PROXY = behind_proxy
    proxy = {"REMOTE_ADDR": "10.0.0.1"}
    for n in range(3):
        # What a caller writes in front of the proxy's entry is not believed.
        attempt("Änne", "wrong", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}, {ATTACKER}", **proxy)
    assert attempt("Änne", "wrong", HTTP_X_FORWARDED_FOR=f"192.0.2.9, {ATTACKER}", **proxy).status_code == 429
    other = attempt("Änne", PASSWORD, HTTP_X_FORWARDED_FOR=OWNER, **proxy)
    assert (other.status_code != 429) is behind_proxy


def test_callers_behind_several_proxies_are_told_apart(attempt: Attempt, settings: Any) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/24")]
    chain = {"REMOTE_ADDR": "10.0.0.1"}
    for n in range(4):
        attempt("Änne", "wrong", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}, {ATTACKER}, 10.0.0.9", **chain)
    assert attempt("Änne", PASSWORD, HTTP_X_FORWARDED_FOR=f"{ATTACKER}, 10.0.0.9", **chain).status_code == 429
    assert succeeded(attempt("Änne", PASSWORD, HTTP_X_FORWARDED_FOR=f"{OWNER}, 10.0.0.9", **chain))


def test_who_is_no_trusted_proxy_speaks_for_nobody_else(attempt: Attempt, settings: Any) -> None:
    settings.TRUSTED_PROXIES, settings.BEHIND_TLS_PROXY = [ip_network("10.0.0.0/24")], True
    statuses = [
        attempt("Änne", "wrong", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}", REMOTE_ADDR=ATTACKER).status_code
        for n in range(4)
    ]
    assert [status == 429 for status in statuses] == [False] * 3 + [True]


def test_the_admins_page_says_how_long_to_wait() -> None:
    for _ in range(4):
        response = in_admin("Änne", "wrong", REMOTE_ADDR=ATTACKER)
    page = response.content.decode()
    assert response.status_code == 429
    assert "Too many login attempts from your address. Wait 60 seconds, then try again." in page
    assert "correct username and password" not in page
    assert 'value="Änne"' in page


def test_looking_at_the_login_page_counts_for_nothing() -> None:
    assert [Client().get("/admin/login/", REMOTE_ADDR=ATTACKER).status_code for _ in range(10)] == [200] * 10


def test_logins_are_still_counted_while_redis_is_down(attempt: Attempt, settings: Any) -> None:
    """People have to be able to see that it is down."""
    location = f"redis://127.0.0.1:{free_port()}"
    settings.CACHES = {"default": {"BACKEND": REDIS_CACHE, "LOCATION": location}}
    for _ in range(3):
        attempt("Änne", "wrong", REMOTE_ADDR=ATTACKER)
    assert attempt("Änne", PASSWORD, REMOTE_ADDR=ATTACKER).status_code == 429
    assert succeeded(attempt("Änne", PASSWORD, REMOTE_ADDR=OWNER))


def test_logins_are_counted_in_redis(attempt: Attempt, settings: Any) -> None:
    with redis() as url:
        settings.CACHES = {"default": {"BACKEND": REDIS_CACHE, "LOCATION": url}}
        for _ in range(3):
            attempt("Änne", "wrong", REMOTE_ADDR=ATTACKER)
        limits._OF_THIS_PROCESS.clear()
        assert attempt("Änne", PASSWORD, REMOTE_ADDR=ATTACKER).status_code == 429
