from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from orderflow.api.throttles import ConnectionTestThrottle
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.conftest import ApiAs
from tests.support.api.problems import problem
from tests.support.canary_key import canary_key
from tests.support.threads import another, at_once

CONNECTIONS = "/api/v1/erp-connections/"
CANARY = "canary7f3a"
FOLDER = {"mode": "filesystem", "export_path": "in", "ack_path": "acks"}
SFTP = {
    "mode": "sftp",
    "host": "sftp.acme.example",
    "username": "erp",
    "password": f"{CANARY}-password",
    "private_key": canary_key(CANARY),
    "passphrase": f"{CANARY}-passphrase",
    "export_path": "/in",
}
NEW = {"name": "ERP", "connector_type": "DROPZONE_JSON_V1", "config": SFTP}


def created(api: APIClient, **changes: Any) -> dict[str, Any]:
    response = api.post(CONNECTIONS, NEW | changes)
    assert response.status_code == 201, response.content
    body: dict[str, Any] = response.json()
    assert response["Location"].endswith(f"{CONNECTIONS}{body['id']}/")
    return body


def test_a_connection_comes_back_without_its_secrets(api: APIClient) -> None:
    """S4."""
    body = created(api)
    assert body["secrets_set"] == ["passphrase", "password", "private_key"]
    assert body["config"] == {
        "mode": "sftp",
        "host": "sftp.acme.example",
        "port": 22,
        "username": "erp",
        "host_key": "",
        "export_path": "/in",
        "ack_path": "",
        "atomic_write": True,
        "temp_name": "{name}.tmp",
        "timeout_s": 30,
        "ack_timeout_h": 24,
    }
    assert (body["status"], body["is_default"], body["config_error"]) == ("ACTIVE", True, None)
    assert api.get(f"{CONNECTIONS}{body['id']}/").json() == {**body, "events": []}
    assert ERPConnection.objects.get().stored_config()["password"] == SFTP["password"]


def test_no_answer_ever_holds_a_secret(api: APIClient) -> None:
    """S4."""
    address = f"{CONNECTIONS}{created(api)['id']}/"
    answers = [
        api.get(address),
        api.get(CONNECTIONS),
        api.patch(address, {"config": {"password": f"{CANARY}-2", "port": 0}}),
        api.patch(address, {"config": {"password": {"a": f"{CANARY}-3"}}}),
        api.patch(address, {"config": {"password": f"{CANARY}\u0000"}}),
        api.patch(address, {"config": {"pasword": f"{CANARY}-4"}}),
        api.patch(address, {"config": {"password": f"{CANARY}-5"}}),
        api.post(f"{address}test/", {"config": {"password": f"{CANARY}-6", "host": "127.0.0.1", "port": 1}}),
        api.post(f"{address}test/"),
        api.post(CONNECTIONS, NEW),
        api.post(CONNECTIONS, {**NEW, "name": "Two", "connector_type": "NONE"}),
        api.post(CONNECTIONS, {**NEW, "name": "Two", "config": {**SFTP, "mode": "ftp"}}),
        api.generic("POST", CONNECTIONS, f'{{"config": "{CANARY}', "application/json"),
    ]
    for answer in answers:
        assert CANARY.encode() not in answer.content + str(answer.headers).encode()
        assert answer.status_code < 500
    assert CANARY not in str(list(AuditEntry.objects.values()))
    assert CANARY not in str(list(ERPConnection.objects.values()))


def test_an_edit_keeps_what_it_does_not_name(api: APIClient) -> None:
    body = created(api)
    address = f"{CONNECTIONS}{body['id']}/"
    after = api.patch(address, {"name": "New name", "config": {"timeout_s": 5, "password": ""}}).json()
    assert (after["name"], after["config"]) == ("New name", body["config"] | {"timeout_s": 5})
    assert after["secrets_set"] == body["secrets_set"]
    assert ERPConnection.objects.get().stored_config()["password"] == SFTP["password"]


def test_a_stored_secret_does_not_follow_to_another_server(api: APIClient) -> None:
    """S4, S7."""
    body = created(api)
    address, move = f"{CONNECTIONS}{body['id']}/", {"config": {"host": "evil.example"}}
    errors = problem(api.patch(address, move), 422, "invalid")["errors"]
    pointers = [f"/config/{name}" for name in ("password", "private_key", "passphrase")]
    assert [error["pointer"] for error in errors] == pointers
    assert "entered for host sftp.acme.example; enter it again for host evil.example" in errors[0]["message"]
    test = api.post(f"{address}test/", move).json()
    assert (test["success"], test["steps"]) == (False, [])
    assert "entered for host sftp.acme.example" in test["error_message"]
    assert api.get(address).json() == {**body, "events": []}
    secrets = {"password": "new", "private_key": None, "passphrase": None}
    after = api.patch(address, {"config": {"host": "new.example", **secrets}}).json()
    assert (after["config"]["host"], after["secrets_set"]) == ("new.example", ["password"])


def test_null_takes_a_secret_away(api: APIClient) -> None:
    address = f"{CONNECTIONS}{created(api)['id']}/"
    after = api.patch(address, {"config": {"private_key": None, "passphrase": None}}).json()
    assert after["secrets_set"] == ["password"]


def test_an_edit_releases_a_block(api: APIClient) -> None:
    body = created(api)
    ERPConnection.objects.update(blocked_at=timezone.now(), blocked_reason="The password was refused.")
    address = f"{CONNECTIONS}{body['id']}/"
    assert api.get(address).json()["blocked_reason"] == "The password was refused."
    after = api.patch(address, {"config": {"password": "new"}}).json()
    assert (after["blocked_at"], after["blocked_reason"]) == (None, None)


def test_there_is_one_default(api: APIClient) -> None:
    first = created(api, is_default=True)
    second = created(api, name="Two", is_default=True)
    rows = {row["id"]: row["is_default"] for row in api.get(CONNECTIONS).json()["results"]}
    assert rows == {first["id"]: False, second["id"]: True}


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"connector_type": "SAP"}, ["/connector_type"]),
        ({"connector_type": None}, ["/connector_type"]),
        ({"name": ""}, ["/name"]),
        ({"name": "x" * 121}, ["/name"]),
        ({"config": None}, ["/config"]),
        ({"config": []}, ["/config"]),
        ({"config": {}}, ["/config/mode", "/config/export_path"]),
        ({"config": {"mode": "ftp"}}, ["/config/mode", "/config/export_path"]),
        (
            {"config": {"mode": "sftp", "root": "/", "port": [22]}},
            [f"/config/{name}" for name in ("root", "port", "host", "username", "password", "export_path")],
        ),
        ({"config": {"mode": "filesystem"}}, ["/config/export_path"]),
        ({"config": FOLDER | {"export_path": "../../etc"}}, ["/config/export_path"]),
        ({"config": FOLDER | {"folder": "in"}}, ["/config/folder"]),
        ({"config": FOLDER | {"root": "/"}}, ["/config/root"]),
        ({"config": SFTP | {"host": ""}}, ["/config/host"]),
        ({"config": SFTP | {"port": 0}}, ["/config/port"]),
        ({"config": SFTP | {"port": "22a"}}, ["/config/port"]),
        ({"config": SFTP | {"port": [22]}}, ["/config/port"]),
        ({"config": SFTP | {"host_key": "nonsense"}}, ["/config/host_key"]),
        ({"config": SFTP | {"timeout_s": 10**400}}, ["/config/timeout_s"]),
        ({"config": SFTP | {"username": "x" * 121}}, ["/config/username"]),
        ({"status": "BROKEN"}, ["/status"]),
        ({"is_default": "maybe"}, ["/is_default"]),
        ({"is_default": None}, ["/is_default"]),
        ({"organization": "globex"}, ["/organization"]),
    ],
    ids=str,
)
def test_bad_input_is_named_and_nothing_is_kept(changes: Any, pointers: list[str], api: APIClient) -> None:
    errors = problem(api.post(CONNECTIONS, NEW | changes), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == pointers
    assert not ERPConnection.objects.exists()


def test_a_name_is_given_once_in_an_organization(api: APIClient) -> None:
    globex = Organization.objects.create(name="Globex", slug="globex")
    ERPConnection.objects.create(organization=globex, name="ERP", connector_type="DROPZONE_JSON_V1")
    created(api)
    errors = problem(api.post(CONNECTIONS, NEW), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == ["/name"]


def test_the_type_of_a_connection_stays(api: APIClient) -> None:
    address = f"{CONNECTIONS}{created(api)['id']}/"
    errors = problem(api.patch(address, {"connector_type": "SAP"}), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == ["/connector_type"]


@pytest.mark.parametrize("damage", [{"config_encrypted": b"\x01damaged"}, {"connector_type": "GONE"}])
def test_a_config_that_cannot_be_read_says_so_and_hides_no_neighbour(damage: dict[str, Any], api: APIClient) -> None:
    """F25."""
    body = created(api)
    other = created(api, name="Two")
    ERPConnection.objects.filter(pk=body["id"]).update(**damage)
    rows = {row["id"]: row for row in api.get(CONNECTIONS).json()["results"]}
    assert rows[other["id"]]["config"] == other["config"]
    assert rows[body["id"]]["config"] is None
    assert rows[body["id"]]["config_error"]
    test = api.post(f"{CONNECTIONS}{body['id']}/test/")
    assert (test.status_code, test.json()["success"]) == (200, False)
    problem(api.patch(f"{CONNECTIONS}{body['id']}/", {"config": {"port": 2222}}), 422, "invalid")


def test_a_swapped_ciphertext_is_refused(api: APIClient) -> None:
    """S2."""
    first, second = created(api), created(api, name="Two")
    ciphertext = ERPConnection.objects.get(pk=first["id"]).config_encrypted
    ERPConnection.objects.filter(pk=second["id"]).update(config_encrypted=ciphertext)
    body = api.get(f"{CONNECTIONS}{second['id']}/").json()
    assert body["config"] is None
    assert "cannot be decrypted" in body["config_error"]


def test_a_test_that_succeeds_is_kept_and_answered_step_by_step(api: APIClient, connection: ERPConnection) -> None:
    response = api.post(f"{CONNECTIONS}{connection.pk}/test/")
    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"success", "error_message", "latency_ms", "steps", "host_key"}
    assert (body["success"], body["error_message"]) == (True, None)
    assert all(step.keys() == {"name", "success", "duration_ms", "detail"} for step in body["steps"])
    shown = api.get(f"{CONNECTIONS}{connection.pk}/").json()
    assert (shown["last_test_success"], shown["last_test_latency_ms"]) == (True, body["latency_ms"])


def test_a_test_tries_edits_before_they_are_saved(api: APIClient, connection: ERPConnection) -> None:
    body = api.post(f"{CONNECTIONS}{connection.pk}/test/", {"config": {"export_path": "nowhere"}}).json()
    assert body["success"] is False
    assert "nowhere" in body["error_message"]
    shown = api.get(f"{CONNECTIONS}{connection.pk}/").json()
    assert (shown["last_test_at"], shown["config"]["export_path"]) == (None, "in")


def test_an_operator_tests_what_is_stored_only(api_as: ApiAs, connection: ERPConnection) -> None:
    """S14."""
    ops = api_as(Role.OPS)
    assert ops.post(f"{CONNECTIONS}{connection.pk}/test/", {}).json()["success"] is True
    edits = {"config": {"export_path": "nowhere"}}
    refused = problem(ops.post(f"{CONNECTIONS}{connection.pk}/test/", edits), 403, "permission_denied")
    assert refused["detail"] == "Your role may not edit connections. Leave config out to test what is stored."


@pytest.mark.parametrize("body", [{"config": 1}, {"configuration": {}}, []], ids=str)
def test_a_test_with_a_wrong_body_is_refused(body: Any, api: APIClient, connection: ERPConnection) -> None:
    problem(api.post(f"{CONNECTIONS}{connection.pk}/test/", body), 422, "invalid")


def test_testing_is_throttled(api: APIClient, connection: ERPConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """S8."""
    monkeypatch.setattr(ConnectionTestThrottle, "rate", "2/min", raising=False)
    answers = [api.post(f"{CONNECTIONS}{connection.pk}/test/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_connections_are_found_by_status_and_type(api: APIClient) -> None:
    active = created(api)["id"]
    disabled = created(api, name="Two", status="DISABLED")["id"]
    for query, found in {
        "status=DISABLED": [disabled],
        "connector_type=DROPZONE_JSON_V1": [disabled, active],
        "connector_type=X": [],
    }.items():
        assert [row["id"] for row in api.get(f"{CONNECTIONS}?{query}").json()["results"]] == found


def test_a_list_asks_the_database_as_often_for_many_connections_as_for_one(
    api: APIClient, django_assert_max_num_queries: Any
) -> None:
    for count in (1, 9):
        for n in range(count):
            created(api, name=f"{count}-{n}")
        with django_assert_max_num_queries(4):
            assert len(api.get(CONNECTIONS).json()["results"]) in (1, 10)


def test_a_connector_type_describes_its_form(api: APIClient) -> None:
    (kind,) = api.get("/api/v1/connector-types/").json()
    assert (kind["connector_type"], kind["label"]) == ("DROPZONE_JSON_V1", "Dropzone, JSON (version 1)")
    fields = {field.pop("name"): field for field in kind["config_fields"]}
    assert fields["mode"] == {
        "label": "Mode",
        "type": "choice",
        "required": True,
        "choices": [
            {"value": "sftp", "label": "SFTP server"},
            {"value": "filesystem", "label": "Folder on this machine"},
        ],
        "default": None,
        "help": "Where the ERP picks its orders up.",
        "secret": False,
    }
    assert {name for name, field in fields.items() if field["secret"]} == {"password", "private_key", "passphrase"}
    assert (fields["port"]["type"], fields["port"]["default"], fields["port"]["required"]) == ("integer", 22, False)
    assert (fields["atomic_write"]["type"], fields["atomic_write"]["default"]) == ("boolean", True)


def test_an_edit_names_the_version_that_it_is_about(api: APIClient) -> None:
    """By the ETag of the connection, whichever call it came with."""
    body = created(api)
    address = f"{CONNECTIONS}{body['id']}/"
    first = api.get(address)["ETag"]
    edited = api.patch(address, {"name": "Mine"}, headers={"if-match": first})
    assert edited.status_code == 200
    assert edited["ETag"] == api.get(address)["ETag"] != first
    problem(api.patch(address, {"name": "Theirs"}, headers={"if-match": first}), 412, "changed_meanwhile")
    problem(api.get(address, headers={"if-match": first}), 412, "changed_meanwhile")
    assert api.patch(address, {"name": "Theirs"}, headers={"if-match": edited["ETag"]}).status_code == 200
    assert ERPConnection.objects.get().name == "Theirs"
    assert api.post(CONNECTIONS, NEW | {"name": "Another"})["ETag"].startswith('"')


@pytest.mark.django_db(transaction=True)
def test_two_edits_at_once_are_both_kept(api: APIClient) -> None:
    """Each of another field of the config."""
    address = f"{CONNECTIONS}{created(api)['id']}/"
    for number in range(10):
        changes = [{"config": {"export_path": f"/in{number}"}}, {"config": {"username": f"erp{number}"}}]
        answers = at_once(lambda changes=changes: another(api).patch(address, changes.pop()), 2)  # type: ignore[misc]
        assert [answer.status_code for answer in answers] == [200, 200]
        config = ERPConnection.objects.get().stored_config()
        assert (config["export_path"], config["username"]) == (f"/in{number}", f"erp{number}")


def test_an_edit_of_the_name_leaves_the_default_as_others_made_it(api: APIClient, organization: Organization) -> None:
    """It was read as the default, and is none any more."""
    stale = ERPConnection.objects.get(pk=created(api, is_default=True)["id"])
    other = created(api, name="Other", is_default=True)
    connection_service.save(stale, ConnectionChanges(name="Renamed"), actor="bob")
    assert ERPConnection.objects.get(is_default=True).pk == UUID(other["id"])
    assert ERPConnection.objects.get(pk=stale.pk).name == "Renamed"


@pytest.mark.django_db(transaction=True)
def test_of_two_edits_at_once_of_the_same_version_one_is_told(api: APIClient) -> None:
    address = f"{CONNECTIONS}{created(api)['id']}/"
    for number in range(5):
        names, seen = [f"a{number}", f"b{number}"], {"if-match": api.get(address)["ETag"]}
        answers = at_once(
            lambda names=names, seen=seen: another(api).patch(address, {"name": names.pop()}, headers=seen),  # type: ignore[misc]
            2,
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
