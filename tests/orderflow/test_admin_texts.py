"""What the pages of the admin say by themselves, on every list and page: nothing of Django's or unfold's vocabulary."""

import re
from html import unescape

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from exports.models import ERPExport
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import ALLOWED, Action, Role, role_text
from tests.support.tenants import Tenant, list_url, log_in, log_in_superuser, make_tenant, make_user, page_url

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
# What people should never read.
FOREIGN = ("to change |", "to view |", "yielded", "No results found", "staff", "Return to site", "quality time")


def page_of(client: Client, url: str) -> str:
    """Without the name of a field that nobody reads."""
    return client.get(url).content.decode().replace("is_staff", "")


def title(page: str) -> str:
    [found] = re.findall(r"<title>(.*?)</title>", page, re.DOTALL)
    return unescape(" ".join(found.split()))


def heading(page: str) -> list[str]:
    """The parts of the line above the page."""
    [found] = re.findall(r"<h1.*?</h1>", page, re.DOTALL)
    text = re.sub(r"<[^>]+>", "\n", found)
    return [unescape(part.strip()) for part in text.split("\n") if part.strip() and part.strip() != "chevron_right"]


@pytest.fixture
def acme(db: None) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def root(db: None) -> Client:
    return log_in_superuser()


def test_every_list_is_named_after_what_it_lists(acme: Tenant, root: Client) -> None:
    for model in MODELS:
        page = page_of(root, list_url(model))
        named = heading(page)
        assert len(named) == 1, (model, named)
        assert title(page) == f"{named[0]} | OrderFlow", model
        assert named[0][0].isupper(), model
        assert not [text for text in FOREIGN if text in page], model
    assert title(page_of(root, list_url(DraftOrder))) == "Orders | OrderFlow"


def test_every_page_of_a_row_is_headed_by_its_list_and_its_name(acme: Tenant, root: Client) -> None:
    for model, row in acme.rows.items():
        page = page_of(root, page_url(row))
        assert heading(page)[1:] == [str(row)], model
        assert heading(page)[:1] == heading(page_of(root, list_url(model))), model
        assert not [text for text in FOREIGN if text in page], model


def test_an_empty_list_says_whether_anything_was_left_out(root: Client) -> None:
    for model in MODELS:
        if model is User:
            # The superuser who looks is one.
            continue
        plain = page_of(root, list_url(model))
        assert "Nothing here yet." in plain, model
        assert "Reset" not in plain.split("Nothing here yet.")[1].split("</form>")[0], model
        sorted_only = page_of(root, f"{list_url(model)}?o=1")
        assert "Nothing here yet." in sorted_only, model
        page = admin.site._registry[model]
        if page.search_fields:
            found = page_of(root, f"{list_url(model)}?q=x")
            assert "No matches. Reset the filters." in found, model
            assert "Nothing here yet." not in found, model
        further = page_of(root, f"{list_url(model)}?p=7")
        assert "Nothing here yet." not in further, model


def test_an_empty_list_offers_what_the_person_may_add(db: None) -> None:
    organization = Organization.objects.create(name="Acme", slug="acme")
    assert "Add order" in page_of(log_in(organization, Role.OPS), list_url(DraftOrder))
    assert "Add order" not in page_of(log_in(organization, Role.VIEWER), list_url(DraftOrder))
    assert "Add export" not in page_of(log_in(organization, Role.ADMIN), list_url(ERPExport))


@pytest.mark.parametrize("role", list(Role))
def test_the_sidebar_leads_to_the_documentation_of_the_api(db: None, role: Role) -> None:
    client = log_in(Organization.objects.create(name="Acme", slug="acme"), role)
    link = reverse("docs")
    assert f'href="{link}"' in page_of(client, reverse("admin:index"))
    assert client.get(link).status_code == 200


def test_the_sidebar_offers_a_stranger_nothing(db: None) -> None:
    client = log_in(None)
    assert reverse("docs") not in page_of(client, reverse("admin:index"))


@pytest.mark.parametrize(("name", "password"), [("nobody", "x"), ("eva", "wrong"), ("api-only", "correct horse")])
def test_a_refused_login_says_what_to_check(db: None, name: str, password: str) -> None:
    User.objects.create_user("eva", password="correct horse", is_staff=True)
    User.objects.create_user("api-only", password="correct horse")
    page = Client().post(reverse("admin:login"), {"username": name, "password": password}).content.decode()
    assert "Username and password do not match, or this account may not log in here." in page
    assert not [text for text in FOREIGN if text in page]


def test_no_page_before_the_login_leads_in_a_circle(db: None) -> None:
    client = log_in(Organization.objects.create(name="Acme", slug="acme"))
    left = client.post(reverse("admin:logout")).content.decode()
    assert "You are logged out" in left
    for page in (left, page_of(Client(), reverse("admin:login"))):
        assert not [text for text in FOREIGN if text in page]
        assert 'href="/"' not in page


def test_the_roles_say_what_they_allow_where_one_is_chosen(db: None) -> None:
    organization = Organization.objects.create(name="Acme", slug="acme")
    member = make_user(organization, Role.OPS, "olga")
    for client in (log_in(organization), log_in_superuser()):
        for url in (page_url(member), list_url(User, "add")):
            page = unescape(page_of(client, url))
            assert [role for role in Role if role_text(role) not in page] == [], url
            assert "May log in to these pages" in page
            assert "staff" not in page


def test_what_a_role_may_do_is_told_from_the_table() -> None:
    assert role_text(Role.ADMIN) == "Administrator: may do everything"
    assert role_text(Role.VIEWER) == "Viewer: may read"
    for role in (Role.INTEGRATOR, Role.OPS):
        assert {action for action in Action if action.value in role_text(role)} == ALLOWED[role]


def test_a_search_for_rows_to_relate_is_still_a_choice(acme: Tenant, root: Client) -> None:
    page = page_of(root, f"{list_url(type(acme.connection))}?_popup=1")
    assert title(page) == "Select ERP connection | OrderFlow"
