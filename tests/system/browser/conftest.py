"""The admin in a real Chromium: a live server, pages of people with a role, a worker where a flow needs one."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection as database
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from orderflow.celery import app
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.servers.missing import program
from tests.support.installation import Installation
from tests.support.tenants import make_user
from tests.system.browser.looks import Gallery
from tests.system.browser.visits import Visit, visit

PageAs = Callable[..., Page]

# A page of two busy processors takes its time.
expect.set_options(timeout=10_000)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Not pytest-playwright's own browser: its event loop would go on beside all the tests that follow these."""
    path = program("chromium", package="chromium")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's loop runs in this thread, and Django would take every query for one from inside of it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        # Root cannot have Chromium's sandbox.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page_as(chromium: Browser, live_server: LiveServer, organization: Organization) -> Iterator[PageAs]:
    """A page of a fresh user of the organization, of Acme unless told otherwise."""
    visits: list[Visit] = []

    def open_page(role: Role = Role.ADMIN, *, tenant: Organization = organization) -> Page:
        person = make_user(tenant, role, f"{role.lower()}-{User.objects.count()}@{tenant.slug}")
        visits.append(visit(chromium, live_server.url, person))
        return visits[-1].page

    yield open_page
    for each in visits:
        each.end()


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    named = os.environ.get("PICTURES")
    return Gallery(folder=tmp_path / "pictures", for_documents=Path(named) if named else None)


@pytest.fixture
def dropzone_root(live_server: LiveServer) -> Iterator[Path]:
    """Where the processes see it as well."""
    root = Path(django_settings.DROPZONE_ROOT)
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def processes(live_server: LiveServer, tmp_path: Path) -> Iterator[Installation]:
    """Worker and beat of the live server, once they are started: `processes.start("worker")`."""
    app.control.purge()
    # The database that pytest-django made beside the one that is configured.
    server = django_settings.DATABASE_URL.rpartition("/")[0] if database.vendor == "postgresql" else "sqlite://"
    url = f"{server}/{database.settings_dict['NAME']}"
    places = {name: str(getattr(django_settings, name)) for name in ("DATA_DIR", "DROPZONE_ROOT")}
    site = Installation(folder=tmp_path, settings={"DATABASE_URL": url, **places})
    yield site
    # Before the rows go: what a worker still had in hand would meet them half gone.
    site.stop()
