"""What people know of an order leads to its rows, and to no other organization's."""

import pytest
from django.test import Client
from django.utils import timezone

from connectors.models import ERPConnection
from exports.models import AckFile, ERPExport, Verdict
from orderflow.admin.searchable import KnownAsAdmin
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.exports.conftest import Push
from tests.support.tenants import list_url, log_in, page_url


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.VIEWER)


@pytest.fixture
def export(push: Push, make_order: MakeOrder) -> ERPExport:
    customer = Customer.objects.create(
        organization=make_order().organization, erp_customer_number="ERNSH", name="Ernst Handel"
    )
    export = push(make_order(external_order_number="PO-10258", customer=customer))
    ERPExport.objects.filter(pk=export.pk).update(erp_order_id="SO-77")
    return export


def found(client: Client, row: ERPExport | DraftOrder | AckFile, term: str) -> bool:
    return page_url(row) in client.get(list_url(type(row)), {"q": term}).content.decode()


KNOWN = ("PO-10258", "PO-102", "po-10258", "SO-77", "so-77", "Ernst Handel", "handel", "ERNSH", " PO-10258 ")
UNKNOWN = ("0258", "SO-7", "PO-10258-2", "nobody", "SO-78", "%", "_")


def test_orders_and_exports_are_found_by_what_people_know(client: Client, export: ERPExport) -> None:
    ids = (str(export.draft_order_id), export.filename, f"ack_{export.filename}", f"{export.filename}.tmp")
    for term in (*KNOWN, *ids):
        assert found(client, export, term), term
        assert found(client, export.draft_order, term), term
    assert found(client, export, str(export.pk))
    for term in UNKNOWN:
        assert not found(client, export, term), term
        assert not found(client, export.draft_order, term), term


def test_a_files_whole_name_leads_to_that_try_alone(client: Client, export: ERPExport) -> None:
    retried = ERPExport.objects.get(pk=export.pk)
    retried.pk, retried.filename, retried.status = None, "another.json", "FAILED"
    retried.save(force_insert=True)
    assert found(client, export, export.filename)
    assert not found(client, retried, export.filename)
    assert found(client, retried, "another.json")
    assert found(client, retried, "PO-10258")


def test_answers_are_found_by_their_name_and_by_their_order(
    client: Client, export: ERPExport, connection: ERPConnection
) -> None:
    fields = {"organization": export.organization, "connection": connection, "size": 1, "modified_at": 0}
    now = timezone.now()
    answer, orphan = (
        AckFile.objects.create(name=name, export=of, verdict=verdict, seen_at=now, **fields)
        for name, of, verdict in [
            (f"ack_{export.filename}", export, Verdict.MATCHED),
            ("ack_who.json", None, Verdict.ORPHAN),
        ]
    )
    for term in (f"ack_{export.filename}", export.filename, "PO-10258", "SO-77", "Ernst"):
        assert found(client, answer, term), term
        assert not found(client, orphan, term), term
    assert found(client, orphan, "ack_who.json")
    assert not found(client, answer, "ack_who.json")


def test_a_search_sees_the_own_rows_only(export: ERPExport, make_order: MakeOrder) -> None:
    """S1."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    foreign = log_in(globex, Role.ADMIN)
    for term in (*KNOWN, export.filename, str(export.pk), str(export.draft_order_id)):
        assert not found(foreign, export, term), term
        assert not found(foreign, export.draft_order, term), term


def test_whoever_finds_too_many_is_told(client: Client, make_order: MakeOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KnownAsAdmin, "most", 2)
    orders = [make_order() for _ in range(3)]
    page = client.get(list_url(DraftOrder), {"q": "PO-"}).content.decode()
    assert "More than 2 may be known as" in page
    assert [page_url(order) in page for order in orders] == [True, True, False]


def test_a_list_is_narrowed_down_by_days(client: Client, make_order: MakeOrder) -> None:
    order = make_order()
    today = timezone.localdate().isoformat()
    for query, expected in [
        ({"created_at_from": today}, True),
        ({"created_at_to": today}, True),
        ({"created_at_from": today, "created_at_to": today}, True),
        ({"created_at_to": "2020-01-01"}, False),
        ({"created_at_from": "2999-01-01"}, False),
        ({"created_at_from": "2026-02-31"}, True),
        ({"created_at_from": "9999-12-31"}, True),
        ({"created_at_to": "nonsense"}, True),
    ]:
        page = client.get(list_url(DraftOrder), query)
        assert page.status_code == 200, query
        assert (page_url(order) in page.content.decode()) == expected, query
