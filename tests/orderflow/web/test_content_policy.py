"""K11. That the pages work under it is what the tests in the browser see: they fail when a script is refused."""

import pytest
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "status"), [("/admin/login/", 200), ("/nowhere/", 404), ("/api/v1/docs/", 200)])
def test_each_page_says_what_a_browser_may_load(address: str, status: int) -> None:
    response = Client().get(address)
    assert response.status_code == status
    rules = dict(rule.split(" ", 1) for rule in response["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == rules["form-action"] == "'self'"
    assert rules["frame-ancestors"] == rules["object-src"] == rules["base-uri"] == "'none'"
    assert "http" not in response["Content-Security-Policy"]
    assert "geolocation=()" in response["Permissions-Policy"]
