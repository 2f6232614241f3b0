"""What every list has in common: parameters that are known, an order, pages."""

from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import models
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from exports.models import AckFile, ERPExport
from orderflow.orders.models import DraftOrder
from tests.conftest import MakeOrder
from tests.orderflow.api.calls import NEEDS, Call, address, is_of_one_row
from tests.orderflow.api.conftest import Tenant
from tests.orderflow.api.test_problems import problem

NEWEST_FIRST = ("-created_at", "created_at")
ORDERINGS = {
    "draft-orders/": NEWEST_FIRST,
    "exports/": NEWEST_FIRST,
    "erp-connections/": (*NEWEST_FIRST, "name", "-name"),
    "ack-files/": ("-id", "id"),
}
# The parameters that are times.
TIMES = {
    "draft-orders/": ("created_after", "created_before"),
    "exports/": ("created_after", "created_before"),
    "ack-files/": ("seen_after", "seen_before"),
}
MODELS: dict[str, type[models.Model]] = {
    "draft-orders/": DraftOrder,
    "exports/": ERPExport,
    "erp-connections/": ERPConnection,
    "ack-files/": AckFile,
}
GETS = sorted(call for call in NEEDS if call[0] == "get" and call[1] != "connector-types/")
EACH_ORDERING = [(route, ordering) for route, orderings in ORDERINGS.items() for ordering in orderings]
BAD_TIMES = [
    "yesterday",
    "2026-11-25",
    "2026-11-25T10:00:00",
    "2026-11-25T10:00:00 01:00",
    "2026-13-25T10:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "1764064800",
    "\0",
]


@pytest.mark.parametrize("call", GETS)
def test_a_parameter_that_is_not_known_is_named(call: Call, api: APIClient, ours: Tenant) -> None:
    route = call[1]
    path = address(route, ours.id_for(route) if is_of_one_row(route) else None)
    body = problem(api.get(path, {"stauts": "ERROR", "a/b": "1"}), 422, "invalid")
    assert {error["pointer"] for error in body["errors"]} == {"/stauts", "/a~1b"}


def test_a_parameter_on_a_call_that_takes_a_body_is_not_passed_over(api: APIClient, ours: Tenant) -> None:
    """Or the order would leave over another connection than the caller meant."""
    DraftOrder.objects.filter(pk=ours.order.pk).update(status="APPROVED")
    push = address("draft-orders/<uuid:pk>/push/", ours.order.pk)
    errors = problem(api.post(f"{push}?connection={ours.connection.pk}"), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == ["/connection"]
    ours.order.refresh_from_db()
    assert ours.order.status == "APPROVED"


@pytest.mark.parametrize("route", ORDERINGS)
@pytest.mark.parametrize("ordering", ["", "status", "--created_at", "created_at,id", "-created_at ", "organization"])
def test_an_ordering_that_is_not_there_is_named(route: str, ordering: str, api: APIClient, ours: Tenant) -> None:
    errors = problem(api.get(address(route), {"ordering": ordering}), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == ["/ordering"]
    assert ", ".join(ORDERINGS[route]) in errors[0]["message"]


@pytest.mark.parametrize(("route", "ordering"), EACH_ORDERING)
def test_pages_follow_each_other_in_every_order_and_back(
    route: str, ordering: str, api: APIClient, ours: Tenant, make_order: MakeOrder
) -> None:
    more(route, ours, make_order)
    rows = [str(pk) for pk in MODELS[route]._base_manager.order_by(ordering, "id").values_list("pk", flat=True)]
    asked: Any = {"page_size": 3, "ordering": ordering}
    page = api.get(address(route), asked).json()
    there = shown(page)
    while page["next"]:
        page = api.get(page["next"]).json()
        there += shown(page)
    assert there == rows
    back = shown(page)
    while page["previous"]:
        page = api.get(page["previous"]).json()
        back = shown(page) + back
    assert back == rows


@pytest.mark.parametrize("route", ORDERINGS)
def test_the_first_ordering_is_the_one_without_a_word(
    route: str, api: APIClient, ours: Tenant, make_order: MakeOrder
) -> None:
    more(route, ours, make_order)
    first = api.get(address(route), {"ordering": ORDERINGS[route][0]}).json()["results"]
    assert api.get(address(route)).json()["results"] == first
    assert len(first) > 1


POSITIONS = [
    "x",
    "",
    "\0",
    "2026-11-25",
    "2026-11-25 10:00:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "9" * 5000,
    "1e400",
]


@pytest.mark.parametrize(("route", "ordering"), EACH_ORDERING)
@pytest.mark.parametrize("position", POSITIONS, ids=lambda position: repr(position[:20]))
def test_a_made_up_position_is_no_page_or_none_of_ours(
    route: str, ordering: str, position: str, api: APIClient, ours: Tenant
) -> None:
    for reverse in ("0", "1"):
        cursor = b64encode(urlencode({"p": position, "r": reverse, "o": "7"}).encode()).decode()
        response = api.get(address(route), {"cursor": cursor, "ordering": ordering})
        if response.status_code != 200:
            problem(response, 404, "not_found")
        else:
            assert "name" in ordering
            assert position != "\0"


@pytest.mark.parametrize("route", ORDERINGS)
def test_a_cursor_of_another_ordering_or_list_breaks_nothing(
    route: str, api: APIClient, ours: Tenant, make_order: MakeOrder
) -> None:
    for other, orderings in ORDERINGS.items():
        more(other, ours, make_order)
        for ordering in orderings:
            following = api.get(f"{address(other)}?page_size=1&ordering={ordering}").json()["next"]
            cursor = following.partition("cursor=")[2].partition("&")[0].replace("%3D", "=")
            for here in ORDERINGS[route]:
                assert api.get(address(route), {"cursor": cursor, "ordering": here}).status_code in (200, 404)


@pytest.mark.parametrize(("route", "name"), [(route, name) for route, names in TIMES.items() for name in names])
@pytest.mark.parametrize("time", BAD_TIMES)
def test_a_time_without_a_zone_or_sense_is_named(
    route: str, name: str, time: str, api: APIClient, ours: Tenant
) -> None:
    errors = problem(api.get(address(route), {name: time}), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == [f"/{name}"]


@pytest.mark.parametrize("route", TIMES)
def test_spans_of_time_follow_each_other_without_gap_or_overlap(route: str, api: APIClient, ours: Tenant) -> None:
    after, before = TIMES[route]
    row = MODELS[route]._base_manager.order_by("pk").latest("pk")
    column = "seen_at" if route == "ack-files/" else "created_at"
    moment = timezone.now() - timedelta(days=9)
    MODELS[route]._base_manager.filter(pk=row.pk).update(**{column: moment})
    written = moment.astimezone(timezone.get_fixed_timezone(90)).isoformat()

    def found(query: Any) -> bool:
        return str(row.pk) in shown(api.get(address(route), query).json())

    assert found({after: written})
    assert not found({before: written})
    later = (moment + timedelta(microseconds=1)).isoformat()
    assert not found({after: later})
    assert found({before: later})
    assert found({after: written, before: later})


def shown(page: Any) -> list[str]:
    return [str(row["id"]) for row in page["results"]]


def more(route: str, tenant: Tenant, make_order: MakeOrder) -> None:
    """Seven rows in all."""
    now = timezone.now()
    for n in range(7 - MODELS[route]._base_manager.count()):
        if route == "draft-orders/":
            make_order()
        elif route == "exports/":
            order = make_order(status="PUSHED")
            ERPExport.objects.create(
                organization=tenant.organization,
                draft_order=order,
                connection=tenant.connection,
                created_at=now - timedelta(seconds=n),
                filename=f"{order.pk}.json",
            )
        elif route == "erp-connections/":
            ERPConnection.objects.create(
                organization=tenant.organization, name=f"Über {n} & mehr", connector_type="DROPZONE_JSON_V1"
            )
        else:
            AckFile.objects.create(
                organization=tenant.organization,
                connection=tenant.connection,
                name=f"ack_{n}.json",
                size=1,
                modified_at=0,
                verdict="ORPHAN",
                seen_at=now,
            )
