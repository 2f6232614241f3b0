from typing import Any

import pytest
from django.db import connection
from django.test import Client


def test_a_process_that_runs_is_alive() -> None:
    """Without the database: an outage there must not make anybody restart the process."""
    assert Client().get("/livez").json() == {"status": "ok"}


def test_a_process_with_its_database_is_ready(db: None) -> None:
    assert Client().get("/readyz").status_code == 200


def test_a_process_without_its_database_is_not_ready(django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "/nowhere/db")
    with django_db_blocker.unblock():
        connection.close()
        response = Client().get("/readyz")
        connection.close()
    assert (response.status_code, response.json()) == (503, {"status": "The database does not answer."})


def test_probes_are_not_sent_to_tls(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/livez").status_code == 200
    assert Client().get("/api/v1/exports/").status_code == 301


@pytest.mark.django_db
def test_the_root_and_a_login_lead_to_the_admin(client: Client, django_user_model: Any) -> None:
    django_user_model.objects.create_superuser("eva", password="correct horse battery")
    assert client.get("/").headers["Location"] == "/admin/"
    login = client.post("/admin/login/", {"username": "eva", "password": "correct horse battery"})
    assert login.headers["Location"] == "/admin/"
