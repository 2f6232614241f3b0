"""What every list has in common: parameters that are known, an order, pages."""

from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from exports.models import AckFile, ERPExport
from orderflow.orders.models import DraftOrder
from tests.conftest import MakeOrder
from tests.orderflow.api.calls import NEEDS, Call, address, is_of_one_row
from tests.orderflow.api.conftest import Tenant
from tests.support.api.problems import problem
from tests.support.cases import each_case

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


@each_case("call", GETS)
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


@each_case("route", ORDERINGS)
@each_case("ordering", ["", "status", "--created_at", "created_at,id", "-created_at ", "organization"])
def test_an_ordering_that_is_not_there_is_named(route: str, ordering: str, api: APIClient, ours: Tenant) -> None:
    errors = problem(api.get(address(route), {"ordering": ordering}), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == ["/ordering"]
    assert ", ".join(ORDERINGS[route]) in errors[0]["message"] or not ordering


@each_case(("route", "ordering"), EACH_ORDERING)
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


@each_case("route", ORDERINGS)
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


@each_case(("route", "ordering"), EACH_ORDERING)
@each_case("position", POSITIONS)
def test_a_made_up_position_is_no_page_or_none_of_ours(
    route: str, ordering: str, position: str, api: APIClient, ours: Tenant
) -> None:
    for turned in ({}, {"r": "1"}):
        cursor = b64encode(urlencode({"o": "7", **turned, "p": position}).encode()).decode()
        response = api.get(address(route), {"cursor": cursor, "ordering": ordering})
        if response.status_code != 200:
            errors = problem(response, 422, "invalid")["errors"]
            assert [error["pointer"] for error in errors] == ["/cursor"]
        else:
            assert "name" in ordering
            assert position != "\0"


NO_CURSORS = ["!!!!", "cD0x\n", "cD0x=", "====", "r=1", b64encode(b"").decode(), b64encode(b"x=1").decode(),
              b64encode(b"r=0").decode(), b64encode(b"o=1&o=2").decode(), b64encode(b"o=-1").decode(),
              b64encode(b"o=9999").decode(), b64encode(b"r=1&o=1").decode(), "\u00e4", "x" * 5000]  # fmt: skip


@each_case("route", ORDERINGS)
def test_what_is_no_cursor_is_named_and_does_not_begin_again(route: str, api: APIClient, ours: Tenant) -> None:
    """Garbage was the first page: who followed it went round for ever."""
    for cursor in NO_CURSORS:
        errors = problem(api.get(address(route), {"cursor": cursor}), 422, "invalid")["errors"]
        assert [error["pointer"] for error in errors] == ["/cursor"], cursor


PARAMETERS = {
    "draft-orders/": ["status", "customer", "erp_customer_number", "external_order_number"],
    "exports/": [
        "status",
        "draft_order",
        "connection",
        "customer",
        "erp_customer_number",
        "external_order_number",
        "undecided",
    ],
    "erp-connections/": ["status", "connector_type"],
    "ack-files/": ["verdict", "connection", "export", "name"],
}
EACH_PARAMETER = [
    (route, name)
    for route, names in PARAMETERS.items()
    for name in (*names, *TIMES.get(route, ()), "page_size", "cursor", "ordering")
]


def test_every_parameter_of_every_list_is_here(db: None) -> None:
    paths = APIClient().get("/api/v1/schema/", headers={"accept": "application/json"}).json()["paths"]
    described = {
        (route, parameter["name"])
        for route in ORDERINGS
        for parameter in paths[address(route)]["get"]["parameters"]
        if parameter["in"] == "query"
    }
    assert described == set(EACH_PARAMETER)


@each_case(("route", "name"), EACH_PARAMETER)
def test_a_value_that_is_empty_unreadable_or_too_long_is_named(
    route: str, name: str, api: APIClient, ours: Tenant
) -> None:
    """An empty variable in a script found every row."""
    for value in ("", "%20", "%09%0a", "%C2%A0", "%00", "a%00b", "a%0Ab", "%FF", "x" * 300, "x" * 3000):
        errors = problem(api.get(f"{address(route)}?{name}={value}"), 422, "invalid")["errors"]
        assert [error["pointer"] for error in errors] == [f"/{name}"], value


@each_case(("route", "name"), EACH_PARAMETER)
def test_a_parameter_with_one_value_is_not_repeated(route: str, name: str, api: APIClient, ours: Tenant) -> None:
    """The last one counted, and the others were passed over."""
    value = {"status": "READY" if route == "draft-orders/" else "SENT", "verdict": "MATCHED"}.get(name, "1")
    response = api.get(f"{address(route)}?{name}={value}&{name}={value}")
    if name == "verdict" or (name == "status" and route != "erp-connections/"):
        assert response.status_code == 200
        problem(api.get(f"{address(route)}?{name}={value}&{name}="), 422, "invalid")
    else:
        errors = problem(response, 422, "invalid")["errors"]
        assert [error["pointer"] for error in errors] == [f"/{name}"]
        assert "2 times" in errors[0]["message"]


@each_case("route", ORDERINGS)
def test_a_page_has_1_to_200_rows(route: str, api: APIClient, ours: Tenant) -> None:
    for size in ("0", "-1", "201", "100000", "9" * 50, "abc", "1.5", "1e2", "+5", "\u0661", "5 0"):
        errors = problem(api.get(address(route), {"page_size": size}), 422, "invalid")["errors"]
        assert [error["pointer"] for error in errors] == ["/page_size"], size
        assert "1 to 200" in errors[0]["message"]
    for size in ("1", "200", "007"):
        assert api.get(address(route), {"page_size": size}).status_code == 200


def test_the_error_of_an_unknown_value_names_those_that_there_are(api: APIClient, ours: Tenant) -> None:
    for route, name, known in (
        ("draft-orders/", "status", "NEEDS_REVIEW, READY"),
        ("exports/", "status", "PENDING, SENT"),
        ("erp-connections/", "status", "ACTIVE, DISABLED"),
        ("ack-files/", "verdict", "MATCHED"),
    ):
        (error,) = problem(api.get(address(route), {name: "pushed"}), 422, "invalid")["errors"]
        assert error["message"].startswith("Unknown value 'pushed'. Allowed: ")
        assert known in error["message"]


@each_case("route", ["draft-orders/", "draft-orders/push/", "draft-orders/retry-push/",
                                   "erp-connections/", "token/"])  # fmt: skip
def test_a_parameter_beside_a_body_is_named(route: str, api: APIClient, ours: Tenant) -> None:
    """Orders left over another connection than the address named."""
    DraftOrder.objects.filter(pk=ours.order.pk).update(status="APPROVED")
    response = api.post(f"{address(route)}?connection={ours.connection.pk}", {"filter": {}})
    assert problem(response, 422, "invalid")["errors"][0]["pointer"] == "/connection"
    ours.order.refresh_from_db()
    assert ours.order.status == "APPROVED"


def test_more_parameters_than_anybody_has_are_a_problem(api: APIClient, ours: Tenant) -> None:
    response = api.get(address("draft-orders/") + "?" + "&".join(["status=READY"] * 1001))
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


@each_case("call", [call for call in NEEDS if "uuid:pk" in call[1]])
def test_an_id_in_capitals_is_the_same_id(call: Call, api: APIClient, ours: Tenant) -> None:
    """SQL Server prints them so."""
    method, route = call
    pk = str(ours.id_for(route))
    assert pk != pk.upper()
    ids = (pk.upper(), "{" + pk + "}", pk.replace("-", ""))
    answers = [getattr(api, method)(address(route, id_), {}) for id_ in ids]
    assert answers[0].status_code != 404 or answers[0].json()["code"] == "document_not_stored"
    assert [answer.status_code for answer in answers[1:]] == [404, 404]


@each_case("number", ["0", "-1", "9" * 19, "9" * 30, "9" * 5000, "\u0661", "1.0", "%00"])
def test_a_number_that_no_row_has_is_not_found(number: str, api: APIClient, ours: Tenant) -> None:
    problem(api.get(f"/api/v1/ack-files/{number}/"), 404, "not_found")


@each_case("route", ORDERINGS)
def test_a_cursor_of_another_ordering_or_list_breaks_nothing(
    route: str, api: APIClient, ours: Tenant, make_order: MakeOrder
) -> None:
    for other, orderings in ORDERINGS.items():
        more(other, ours, make_order)
        for ordering in orderings:
            following = api.get(f"{address(other)}?page_size=1&ordering={ordering}").json()["next"]
            cursor = following.partition("cursor=")[2].partition("&")[0].replace("%3D", "=")
            for here in ORDERINGS[route]:
                assert api.get(address(route), {"cursor": cursor, "ordering": here}).status_code in (200, 422)


@each_case(("route", "name"), [(route, name) for route, names in TIMES.items() for name in names])
@each_case("time", BAD_TIMES)
def test_a_time_without_a_zone_or_sense_is_named(
    route: str, name: str, time: str, api: APIClient, ours: Tenant
) -> None:
    errors = problem(api.get(address(route), {name: time}), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == [f"/{name}"]


@each_case("route", TIMES)
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
