import pytest

from orderflow.tenancy.models import Organization


@pytest.fixture
def acme(db: None) -> Organization:
    return Organization.objects.create(name="Acme", slug="acme")


@pytest.fixture
def globex(db: None) -> Organization:
    return Organization.objects.create(name="Globex", slug="globex")
