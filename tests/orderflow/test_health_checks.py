from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.servers.web import exchange, serving
from tests.support.shared_database import database_url


def test_a_process_that_runs_is_alive() -> None:
    """Without the database: an outage there must not make anybody restart the process."""
    assert Client().get("/livez").json() == {"status": "ok"}


def test_a_process_with_its_database_is_ready(db: None) -> None:
    assert Client().get("/readyz/web").json() == {"status": "ok"}


@pytest.mark.database
def test_a_process_without_its_database_is_not_ready(django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "/nowhere/db")
    with django_db_blocker.unblock():
        connection.close()
        responses = [Client().get(path) for path in ("/readyz", "/readyz/web")]
        connection.close()
    for response in responses:
        assert response.status_code == 503
        assert response.json()["status"] == "The database does not answer."
        assert [problem["component"] for problem in response.json()["problems"]] == ["database"]


def test_probes_are_not_sent_to_tls(settings: Any, db: None) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/livez").status_code == 200
    assert Client().get("/readyz").status_code == 503
    assert Client().get("/readyz/web").status_code == 200
    assert Client().get("/api/v1/exports/").status_code == 301


@pytest.mark.django_db
def test_the_root_and_a_login_lead_to_the_admin(client: Client, django_user_model: Any) -> None:
    django_user_model.objects.create_superuser("eva", password="correct horse battery")
    assert client.get("/").headers["Location"] == "/admin/"
    login = client.post("/admin/login/", {"username": "eva", "password": "correct horse battery"})
    assert login.headers["Location"] == "/admin/"


@pytest.mark.django_db(transaction=True)
def test_probes_respond_to_any_host_and_fill_no_log(tmp_path: Path) -> None:
    """B65: an orchestrator probes by IP address, every few seconds."""

    def get(path: str, host: str) -> tuple[int, bytes]:
        found = exchange(port, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return found.status, found.body

    with serving(database_url(), tmp_path, LOG_LEVEL="INFO", REQUIRE_TLS="true") as port:
        for path, status in (("/livez", 200), ("/readyz/web", 200), ("/readyz", 503)):
            by_name = get(path, "localhost")
            assert by_name[0] == status
            assert [get(path, host) for host in ("10.42.8.201", "10.42.8.201:8000", "evil.example", "a/b", "")] == [
                by_name
            ] * 5
        assert get("/admin/", "10.42.8.201")[0] == 400
    log = (tmp_path / "web.log").read_text()
    assert "livez" not in log
    assert "readyz" not in log
    # Other requests are still in the log.
    assert "Invalid HTTP_HOST header: '10.42.8.201'" in log
