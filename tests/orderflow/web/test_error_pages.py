"""What people see instead of a page leads on, and says why."""

import html
from typing import Any

import pytest
from django.contrib import admin
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path, reverse

from orderflow import urls
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.support.tenants import list_url, log_in, log_in_superuser, make_order, page_url

DASHBOARD = 'href="/admin/"'
SIDEBAR = 'id="nav-sidebar'


def broken(_request: Any) -> HttpResponse:
    raise RuntimeError("canary-of-the-cause")


class WithAFault:
    urlpatterns = [path("admin/broken/", broken), path("api/broken", broken), *urls.urlpatterns]
    handler403, handler404, handler500 = urls.handler403, urls.handler404, urls.handler500


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def test_a_403_names_the_role_and_keeps_the_navigation(organization: Organization) -> None:
    """A13."""
    client = log_in(organization, Role.VIEWER)
    back = f"http://testserver{list_url(DraftOrder)}"
    response = client.get(list_url(DraftOrder, "add"), headers={"referer": back})
    page = text_of(response)
    assert response.status_code == 403
    assert "Your role is Viewer, which does not allow this. Ask an administrator of Acme." in page
    for part in (SIDEBAR, DASHBOARD, list_url(DraftOrder), f'href="{back}"', "arrow_back"):
        assert part in page


def test_a_404_says_what_is_not_there_and_keeps_the_navigation(organization: Organization) -> None:
    """A13. A row that does not exist, a page that does not, and an address outside of the admin."""
    client = log_in(organization, Role.OPS)
    gone = make_order(organization, "PO-1", OrderStatus.READY)
    address, key = page_url(gone), gone.pk
    gone.delete()
    for url, reason in {
        address: f"There is no order {key}.",
        "/admin/nothing/": "There is no page at /admin/nothing/.",
        "/nothing": "There is no page at /nothing.",
    }.items():
        response = client.get(url)
        assert response.status_code == 404, url
        assert reason in text_of(response)
        assert SIDEBAR in text_of(response)
        assert DASHBOARD in text_of(response)


def test_who_is_not_logged_in_gets_a_way_to_the_login(db: None) -> None:
    """A13. And nothing of the navigation."""
    response = Client().get("/nothing<script>")
    assert response.status_code == 404
    assert DASHBOARD in text_of(response)
    assert b"<script>" not in response.content
    assert SIDEBAR not in text_of(response)


@override_settings(ROOT_URLCONF=WithAFault)
def test_a_500_has_the_request_id_and_a_way_back(organization: Organization) -> None:
    """A13."""
    client = log_in(organization, Role.OPS)
    client.raise_request_exception = False
    response = client.get("/admin/broken/", headers={"referer": "http://testserver/admin/orders/draftorder/"})
    page = text_of(response)
    assert response.status_code == 500
    assert response["X-Request-ID"] in page
    for part in (DASHBOARD, 'href="http://testserver/admin/orders/draftorder/"'):
        assert part in page
    assert "canary" not in page
    assert client.get("/api/broken")["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("referer", ["https://evil.example/", "javascript:alert(1)", "http://testserver/nothing", ""])
def test_a_way_back_leads_to_another_page_of_this_site(referer: str, organization: Organization) -> None:
    page = text_of(log_in(organization).get("/nothing", headers={"referer": referer} if referer else {}))
    assert "evil.example" not in page
    assert "javascript:alert" not in page
    assert "arrow_back" not in page


def test_a_form_of_an_old_session_says_what_to_do(organization: Organization) -> None:
    """A13, S13."""
    response = log_in(organization, enforce_csrf=True).post(list_url(DraftOrder), {})
    assert response.status_code == 403
    assert "The CSRF check failed, so nothing was done." in text_of(response)
    assert SIDEBAR in text_of(response)


def test_a_user_without_an_organization_is_told_what_to_do_and_offered_nothing_else(db: None) -> None:
    """A13. On the dashboard, and on each page that the user has the address of."""
    client = log_in(None)
    for url, status in {reverse("admin:index"): 200, list_url(DraftOrder): 403}.items():
        response = client.get(url)
        page = text_of(response)
        assert response.status_code == status
        assert "Your account belongs to no organization yet" in page
        assert "Ask a superuser of this installation to open your account under Users" in page
        assert reverse("admin:logout") in page
        for model in admin.site._registry:
            assert f'href="{list_url(model)}"' not in page, model


def test_the_login_has_no_link_that_leads_back_to_it(db: None) -> None:
    page = text_of(Client().get(reverse("admin:login")))
    assert "Return to site" not in page
    assert 'href="/"' not in page
    assert "View site" not in text_of(log_in_superuser().get(reverse("admin:index")))
