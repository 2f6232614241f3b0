from io import StringIO

from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from tests.orderflow.api.calls import NEEDS, OWN, address


def test_the_schema_is_valid_and_complete_without_a_warning() -> None:
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    assert out.getvalue().startswith("openapi: 3.1.0")


def test_the_schema_describes_every_call_and_its_problems(db: None) -> None:
    schema = APIClient().get("/api/v1/schema/", headers={"accept": "application/json"}).json()
    for method, route in NEEDS.keys() | OWN:
        operation = schema["paths"][address(route).replace("None", "{id}")][method]
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
        assert operation["security"] == [{"token": []}]


def test_the_documentation_loads_nothing_from_elsewhere(db: None) -> None:
    page = Client().get("/api/v1/docs/")
    assert page.status_code == 200
    assert b"swagger-ui" in page.content
    assert b"http://" not in page.content.replace(b"http://testserver", b"")
    assert b"https://" not in page.content
