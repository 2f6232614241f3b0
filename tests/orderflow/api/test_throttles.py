"""How often one token may call, and one organization."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings as product
from django.core.cache import cache
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from connectors.models import ERPConnection
from orderflow.api.throttles import OrganizationThrottle
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from tests.conftest import ApiAs, MakeOrder
from tests.servers.ports import free_port
from tests.servers.redis import redis
from tests.support.api.problems import problem
from tests.support.api.pushes import fail, push
from tests.support.threads import at_once

REDIS_CACHE = "django.core.cache.backends.redis.RedisCache"
NOON = "2026-11-25T12:00:10Z"

Rates = Callable[..., None]


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis() as url:
        yield url


@pytest.fixture(params=["files", "redis"])
def counted_in(request: pytest.FixtureRequest, settings: Any) -> None:
    """Both places that calls may be counted in."""
    if request.param == "redis":
        location = request.getfixturevalue("redis_url")
        settings.CACHES = {"default": {"BACKEND": REDIS_CACHE, "LOCATION": location}}


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> Rates:
    def rates(scope: str, *, token: str, organization: str) -> None:
        monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, scope, token)
        monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, f"{scope}-organization", organization)

    return rates


@pytest.fixture
def order(make_order: MakeOrder, connection: ERPConnection) -> DraftOrder:
    return make_order()


def statuses(api: APIClient, order: DraftOrder, count: int) -> list[int]:
    return [push(api, order, key="k-1").status_code for _ in range(count)]


@pytest.mark.usefixtures("counted_in", "clock")
def test_a_token_has_a_rate_of_its_own(api_as: ApiAs, order: DraftOrder, rates: Rates) -> None:
    """S15."""
    rates("push", token="2/min", organization="100/min")
    api, colleague = api_as(), api_as()
    assert statuses(api, order, 2) == [202, 202]
    refused = push(api, order, key="k-1")
    problem(refused, 429, "throttled")
    assert refused["Retry-After"] == "60"
    assert push(colleague, order, key="k-1").status_code == 202


@pytest.mark.usefixtures("counted_in", "clock")
def test_an_organization_has_a_rate_for_all_its_tokens(
    api_as: ApiAs, order: DraftOrder, make_order: MakeOrder, rates: Rates
) -> None:
    """S15."""
    rates("push", token="2/min", organization="3/min")
    one, another, third = api_as(), api_as(), api_as()
    assert statuses(one, order, 2) + statuses(another, order, 1) == [202] * 3
    for api in (another, third):
        refused = push(api, order, key="k-1")
        problem(refused, 429, "throttled")
        # Until the clock's minute is over.
        assert refused["Retry-After"] == "50"
    globex = Organization.objects.create(name="Globex", slug="globex")
    theirs = make_order(tenant=globex)
    problem(push(api_as(tenant=globex), theirs), 409, "no_connection")


@pytest.mark.usefixtures("counted_in", "clock")
def test_what_a_token_is_refused_takes_nothing_from_its_organization(
    api_as: ApiAs, order: DraftOrder, rates: Rates
) -> None:
    """S15."""
    rates("push", token="1/min", organization="3/min")
    assert statuses(api_as(), order, 10) == [202] + [429] * 9
    assert [push(api_as(), order, key="k-1").status_code for _ in range(3)] == [202, 202, 429]


@pytest.mark.usefixtures("counted_in")
def test_what_an_organization_is_refused_is_not_held_against_the_token(
    api_as: ApiAs, order: DraftOrder, rates: Rates, clock: time_machine.Traveller
) -> None:
    """S15."""
    rates("push", token="3/hour", organization="1/min")
    api = api_as()
    for _ in range(3):
        assert statuses(api, order, 4) == [202, 429, 429, 429]
        clock.shift(60)
    refused = push(api, order, key="k-1")
    problem(refused, 429, "throttled")
    assert refused["Retry-After"] == str(3600 - 180)


@pytest.mark.usefixtures("counted_in")
def test_a_new_window_begins_anew(
    api_as: ApiAs, order: DraftOrder, rates: Rates, clock: time_machine.Traveller
) -> None:
    rates("push", token="100/min", organization="2/min")
    api = api_as()
    assert statuses(api, order, 3) == [202, 202, 429]
    clock.shift(49)
    assert statuses(api, order, 1) == [429]
    clock.shift(1)
    assert statuses(api, order, 3) == [202, 202, 429]


@pytest.mark.usefixtures("clock")
def test_a_retry_counts_as_a_push(api: APIClient, order: DraftOrder, rates: Rates) -> None:
    rates("push", token="2/min", organization="100/min")
    fail(push(api, order).json()["erp_export_id"])
    assert push(api, order, call="retry-push").status_code == 202
    problem(push(api, order, call="retry-push"), 429, "throttled")


@pytest.mark.usefixtures("counted_in", "clock")
def test_tests_of_connections_are_counted_by_token_and_by_organization(
    api_as: ApiAs, connection: ERPConnection, rates: Rates
) -> None:
    """S8."""
    rates("connection-test", token="2/min", organization="3/min")
    address = f"/api/v1/erp-connections/{connection.pk}/"
    one, another = api_as(), api_as()
    assert [one.post(f"{address}test/").status_code for _ in range(3)] == [200, 200, 429]
    answers = [another.post(f"{address}test/") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[-1]["Retry-After"] == "50"
    assert one.get(address).status_code == 200


@pytest.mark.usefixtures("clock")
def test_a_rate_that_was_lowered_still_says_how_long_to_wait(api: APIClient, order: DraftOrder, rates: Rates) -> None:
    rates("push", token="3/min", organization="100/min")
    statuses(api, order, 3)
    rates("push", token="1/min", organization="100/min")
    assert push(api, order, key="k-1")["Retry-After"] == "60"


@pytest.mark.usefixtures("clock")
def test_a_superuser_of_no_organization_has_the_rate_of_the_token(
    api_as: ApiAs, order: DraftOrder, rates: Rates
) -> None:
    rates("push", token="2/min", organization="1/min")
    assert statuses(api_as(None, is_superuser=True), order, 3) == [202, 202, 429]


def test_redis_counts_every_call_of_many_at_once(redis_url: str, settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": REDIS_CACHE, "LOCATION": redis_url}}
    assert sorted(at_once(lambda: OrganizationThrottle("push")._count("at-once"))) == list(range(1, 51))


def test_without_redis_another_process_sees_the_count_and_nobody_else_does(api: APIClient, order: DraftOrder) -> None:
    assert statuses(api, order, 2) == [202, 202]
    folder = Path(str(product.CACHES["default"]["LOCATION"]))
    assert folder == product.DATA_DIR / "cache"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    key = f"throttle-push-organization-{order.organization_id}-"
    script = (
        "import time, django; django.setup()\n"
        "from django.core.cache import cache\n"
        f"print(sum(cache.get({key!r} + str(int(time.time() // 60) - n), 0) for n in range(3)))"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "orderflow.settings"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
    cache.clear()


def test_while_redis_is_away_pushes_go_and_tests_of_connections_do_not(
    api: APIClient, order: DraftOrder, connection: ERPConnection, settings: Any
) -> None:
    """S8, S15: an order needs the database alone; what can harm somebody else is not let through uncounted."""
    settings.CACHES = {"default": {"BACKEND": REDIS_CACHE, "LOCATION": f"redis://127.0.0.1:{free_port()}"}}
    assert push(api, order, key="k-1").status_code == 202
    refused = api.post(f"/api/v1/erp-connections/{connection.pk}/test/")
    assert refused.status_code >= 500
    connection.refresh_from_db()
    assert connection.last_test_at is None
