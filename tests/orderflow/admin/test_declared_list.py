"""K7: a list of the admin is filtered and sorted by what its page declares, and by nothing that an address makes up."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import connection as database
from django.db.models import Field, Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orderflow.admin.declared_list import DeclaredListAdmin
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.support.admin.site import BY_LABEL
from tests.support.tenants import list_url, log_in, log_in_superuser, make_tenant

pytestmark = pytest.mark.django_db
DAY = "2026-11-23T10:00:00+00:00"
LOOKUPS = (
    "",
    "__exact",
    "__iexact",
    "__regex",
    "__iregex",
    "__icontains",
    "__contains",
    "__gte",
    "__in",
    "__startswith",
)


@pytest.fixture
def root() -> Client:
    make_tenant("acme")
    return log_in_superuser()


def declared(model: type[Model]) -> set[str]:
    """The parameters that the page's filters have, as they say themselves."""
    page = admin.site._registry[model]
    request: Any = log_in_superuser().get(list_url(model)).wsgi_request
    filters = page.get_changelist_instance(request).get_filters(request)[0]
    assert isinstance(page, DeclaredListAdmin)
    return {name for each in filters for name in each.expected_parameters() if name} | page.linked_lookups


@BY_LABEL
def test_a_list_takes_no_other_lookup(model: type[Model], root: Client) -> None:
    fields = [field.name for field in model._meta.get_fields() if isinstance(field, Field)]
    known = declared(model)
    made_up = [f"{name}{lookup}" for name in fields for lookup in LOOKUPS] + ["organization__name__regex", "pk__in"]
    refused = [name for name in made_up if name not in known]
    assert len(refused) > len(fields)
    pattern = "(a+)+$"
    for name in refused:
        with CaptureQueriesContext(database) as queries:
            response = root.get(list_url(model), {name: pattern})
        assert response.status_code == 302, name
        assert response["Location"].removesuffix("?e=1") == list_url(model)
        assert not [query for query in queries if pattern in query["sql"]], name


@BY_LABEL
def test_the_page_says_which_filter_was_refused(model: type[Model], root: Client) -> None:
    page = root.get(list_url(model), {"pk__regex": "a"}, follow=True).content.decode()
    assert "This list cannot be filtered by pk__regex. The list is shown without a filter." in page


@BY_LABEL
def test_each_declared_parameter_is_taken(model: type[Model], root: Client) -> None:
    for name in declared(model):
        value = {"isnull": "True", "gte": DAY, "lt": DAY, "gt": DAY}.get(name.rpartition("__")[2], "")
        response = root.get(list_url(model), {name: value} if value else {})
        assert response.status_code == 200, name


@BY_LABEL
def test_a_list_sorts_by_what_it_declares_and_by_each_column_once(model: type[Model], root: Client) -> None:
    page = admin.site._registry[model]
    request: Any = root.get(list_url(model)).wsgi_request
    sortable = page.get_sortable_by(request)
    columns = page.get_list_display(request)
    first = 1 if page.get_actions(request) else 0
    for index, name in enumerate(columns, first):
        response = root.get(list_url(model), {"o": f"-{index}.{index}.{index}"})
        assert response.status_code == 200
        chosen = response.context["cl"].params["o"]
        assert chosen == (f"-{index}" if name in sortable else ""), name
    # None of these is a column.
    for order in ("-", "99", "1e3", "--1", "²", "1" * 500, ".".join(["99"] * 1000)):
        response = root.get(list_url(model), {"o": order})
        assert response.status_code == 200
        assert response.context["cl"].params["o"] == ""


@BY_LABEL
@pytest.mark.parametrize("number", ["0", "-1", "10001", "9" * 30, "x", ""])
def test_a_page_too_far_away_is_refused(model: type[Model], root: Client, number: str) -> None:
    response = root.get(list_url(model), {"p": number})
    assert response.status_code == (200 if number in ("x", "") else 302)


def test_no_address_shows_all_rows_at_once(root: Client) -> None:
    organization = Organization.objects.get()
    Customer.objects.bulk_create(
        Customer(organization=organization, erp_customer_number=f"N{n}", name=f"Customer {n}") for n in range(150)
    )
    assert len(root.get(list_url(Customer), {"all": ""}).context["cl"].result_list) == 100


def test_a_search_is_no_longer_than_a_person_types(root: Client) -> None:
    page = root.get(list_url(Customer), {"q": "a " * 101}).content.decode()
    assert "at most 200 characters" in page


UNSEARCHABLE = pytest.mark.parametrize("term", ["a " * 101, "a" * 201, "cust\0omer"], ids=["words", "long", "NUL"])


@UNSEARCHABLE
def test_what_completes_a_choice_looks_for_no_longer_term(term: str, root: Client) -> None:
    """On SQLite each word is compared with each row while nothing else of the process runs."""
    query = {"app_label": "orders", "model_name": "draftorder", "field_name": "customer"}
    assert root.get(reverse("admin:autocomplete"), {**query, "term": "acme"}).json()["results"]
    with CaptureQueriesContext(database) as queries:
        answer = root.get(reverse("admin:autocomplete"), {**query, "term": term})
    assert (answer.status_code, answer.json()["results"]) == (200, [])
    assert not [each for each in queries if "orders_customer" in each["sql"]]


@UNSEARCHABLE
def test_the_palette_looks_for_no_longer_term(term: str, root: Client) -> None:
    cache.clear()
    with CaptureQueriesContext(database) as queries:
        answer = root.get(reverse("admin:search"), {"s": term, "extended": "1"})
    assert answer.status_code == 200
    assert not [each for each in queries if "orders_" in each["sql"]]


@BY_LABEL
@UNSEARCHABLE
def test_no_search_of_a_page_looks_for_a_longer_term(model: type[Model], term: str, root: Client) -> None:
    page = admin.site._registry[model]
    request: Any = root.get(list_url(model)).wsgi_request
    assert not page.get_search_results(request, model._default_manager.all(), term)[0].exists()


def test_every_link_of_the_dashboard_is_taken(root: Client) -> None:
    """The dashboard's own tests look at what these and the links of failures lead to."""
    client = log_in(Organization.objects.get(), Role.OPS)
    page = client.get(reverse("admin:index")).content.decode()
    found = {unescape(link) for link in re.findall(r'href="(/admin/[^"]*\?[^"]*)"', page)}
    lookups = {name for link in found for name in parse_qs(urlsplit(link).query)}
    assert {"status__exact", "created_at__gte"} <= lookups
    for link in found:
        assert client.get(link).status_code == 200, link


def test_a_refused_filter_runs_no_action(root: Client) -> None:
    before = AuditEntry.objects.count()
    order = DraftOrder.objects.get()
    data = {"action": "reject", "_selected_action": [str(order.pk)]}
    response = root.post(f"{list_url(DraftOrder)}?pk__regex=a", data)
    assert response.status_code == 302
    order.refresh_from_db()
    assert (order.status, AuditEntry.objects.count()) == ("PUSHING", before)


def test_all_of_a_list_is_pushed_by_declared_filters_only(root: Client) -> None:
    response = root.get(reverse("admin:orders_draftorder_bulk", args=["push"]), {"external_order_number__regex": "a"})
    assert response.status_code == 400
