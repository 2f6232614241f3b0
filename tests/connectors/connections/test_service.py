from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from django.apps import apps
from django.utils import timezone

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from orderflow.tenancy.models import AuditEntry, Organization
from tests.support.canary_key import canary_key
from tests.support.threads import at_once

SFTP = {"mode": "sftp", "host": "sftp.acme.example", "username": "erp", "password": "canary-7361", "export_path": "in"}


def new(organization: Organization, **changes: object) -> ERPConnection:
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    values = {"name": "SFTP", "config": SFTP} | changes
    return connection_service.save(row, ConnectionChanges(**values), actor="ina")  # type: ignore[arg-type]


def test_a_config_is_kept_encrypted_with_its_defaults(organization: Organization) -> None:
    row = new(organization)
    assert b"canary" not in bytes(row.config_encrypted)
    assert row.stored_config() | SFTP == row.stored_config()
    assert (row.stored_config()["port"], row.stored_config()["temp_name"]) == (22, "{name}.tmp")


def test_a_blank_secret_keeps_the_stored_one_and_none_removes_it(organization: Organization) -> None:
    row = new(organization)
    connection_service.save(row, ConnectionChanges(config={"password": "", "export_path": "new"}), actor="ina")
    assert (row.stored_config()["password"], row.stored_config()["export_path"]) == ("canary-7361", "new")
    with pytest.raises(ConfigError, match="password or a private key") as caught:
        connection_service.save(row, ConnectionChanges(config={"password": None}), actor="ina")
    assert caught.value.field == "password"


LOCKED = (
    Ed25519PrivateKey.from_private_bytes(b"?" * 32)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right"))
    .decode()
)
MOVES: list[dict[str, object]] = [
    {"host": "evil.example"},
    {"port": 2222},
    {"host": "evil.example", "password": ""},
    {"host": "evil.example", "private_key": canary_key("another")},
    {"host": "evil.example", "host_key": f"SHA256:{'A' * 43}"},
]


@pytest.mark.parametrize("move", MOVES, ids=str)
def test_a_stored_secret_does_not_follow_to_another_server(organization: Organization, move: dict[str, object]) -> None:
    """S4, S7."""
    row = new(organization)
    before = ERPConnection.objects.values().get()
    with pytest.raises(ConfigError, match=r"The password was entered for .*; enter it again for .*") as caught:
        connection_service.save(row, ConnectionChanges(config=move), actor="eve")
    assert caught.value.field == "password"
    assert "canary" not in str(caught.value)
    result = connection_service.test(row, actor="eve", unsaved=move)
    assert (result.success, result.error_message, result.steps) == (False, str(caught.value), ())
    assert ERPConnection.objects.values().get() == before


def test_a_stored_secret_does_not_outlive_its_server(organization: Organization) -> None:
    """S4, S7. A folder has no secrets, so none comes back with the next server."""
    row = new(organization)
    connection_service.save(row, ConnectionChanges(config={"mode": "filesystem"}), actor="eve")
    assert "canary" not in str(row.stored_config())
    with pytest.raises(ConfigError, match="password or a private key"):
        connection_service.save(
            row, ConnectionChanges(config={"mode": "sftp", "host": "evil.example", "username": "erp"}), actor="eve"
        )


def test_each_secret_stays_behind_by_itself(organization: Organization) -> None:
    """S4, S7."""
    row = new(organization, config={**SFTP, "private_key": canary_key("canary"), "passphrase": "canary-phrase"})
    move: dict[str, object] = {"host": "new.example"}
    entered = {"password": "new-password", "private_key": canary_key("new"), "passphrase": None}
    for name, value in entered.items():
        with pytest.raises(ConfigError) as caught:
            connection_service.save(row, ConnectionChanges(config=move), actor="ina")
        assert [error.field for error in caught.value.each] == [field for field in entered if field not in move]
        move[name] = value
    connection_service.save(row, ConnectionChanges(config=move), actor="ina")
    stored = row.stored_config()
    assert (stored["host"], stored["password"], stored["private_key"]) == (
        "new.example",
        "new-password",
        canary_key("new"),
    )
    assert not stored["passphrase"]


def test_a_connection_that_stays_where_it_is_keeps_its_secrets(organization: Organization) -> None:
    row = new(organization)
    same = {"mode": "sftp", "host": SFTP["host"], "port": "22", "username": "other", "timeout_s": 5}
    connection_service.save(row, ConnectionChanges(config=same), actor="ina")
    assert (row.stored_config()["password"], row.stored_config()["username"]) == ("canary-7361", "other")


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"mode": "ftp"}, "mode"),
        ({"host": ""}, "host"),
        ({"username": ""}, "username"),
        ({"port": "many"}, "port"),
        ({"port": 70000}, "port"),
        ({"host_key": "not a key"}, "host_key"),
        ({"export_path": ""}, "export_path"),
        ({"export_path": "../other"}, "export_path"),
        ({"ack_path": "a\nb"}, "ack_path"),
        ({"temp_name": "{name}"}, "temp_name"),
        ({"temp_name": "x/{name}"}, "temp_name"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_saved(
    organization: Organization, config: dict[str, object], field: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        new(organization, config={**SFTP, **config})
    assert caught.value.field == field
    assert "canary" not in str(caught.value)
    assert not ERPConnection.objects.exists()


def test_an_unknown_connector_type_is_refused_with_the_known_ones(organization: Organization) -> None:
    row = ERPConnection(organization=organization, connector_type="FAX")
    with pytest.raises(ConfigError, match=r"'FAX' is unknown\. Known types: .*DROPZONE_JSON_V1"):
        connection_service.save(row, ConnectionChanges(name="x", config=SFTP), actor="ina")


def test_an_organization_has_one_default_connection(organization: Organization) -> None:
    first = new(organization, name="One", is_default=True)
    second = new(organization, name="Two", is_default=True)
    assert list(ERPConnection.objects.filter(is_default=True)) == [second]
    connection_service.save(first, ConnectionChanges(is_default=True), actor="ina")
    assert list(ERPConnection.objects.filter(is_default=True)) == [first]


def test_the_first_connection_becomes_the_default(organization: Organization) -> None:
    """A8. Each organization's own first one, unless it is said not to; a later one leaves it."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    made = [
        connection_service.save(
            ERPConnection(organization=tenant, connector_type="DROPZONE_JSON_V1"),
            ConnectionChanges(name=name, config={"mode": "filesystem", "export_path": "in"}, is_default=chosen),
            actor="test",
        ).is_default
        for tenant, name, chosen in (
            (organization, "First", None), (organization, "Second", None), (globex, "First", False),
            (globex, "Second", None),
        )
    ]  # fmt: skip
    assert made == [True, False, False, False]


@pytest.mark.django_db(transaction=True)
def test_of_first_connections_that_are_saved_at_once_one_becomes_the_default(organization: Organization) -> None:
    """A8."""

    def save() -> None:
        row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
        config = {"mode": "filesystem", "export_path": "in"}
        connection_service.save(row, ConnectionChanges(name=uuid4().hex, config=config), actor="test")

    at_once(save, 4)
    assert sorted(ERPConnection.objects.values_list("is_default", flat=True)) == [False, False, False, True]


def test_a_name_that_is_taken_is_refused_and_changes_nothing(organization: Organization) -> None:
    default = new(organization, is_default=True)
    with pytest.raises(ConfigError, match="named 'SFTP' already"):
        new(organization, is_default=True)
    assert list(ERPConnection.objects.filter(is_default=True)) == [default]


def test_an_edit_counts_and_releases_a_block(organization: Organization) -> None:
    row = new(organization)
    assert health.block(row.pk, "wrong password")
    assert not health.block(row.pk, "again")
    connection_service.save(row, ConnectionChanges(config={"password": "right"}), actor="ina")
    assert (row.revision, row.blocked_at, row.blocked_reason) == (2, None, "")


def test_the_audit_names_secrets_and_tells_what_else_was_changed(organization: Organization) -> None:
    """S4."""
    row = new(organization, is_default=False)
    connection_service.save(row, ConnectionChanges(config={"password": "canary-9"}), actor="ina")
    entries = list(AuditEntry.objects.order_by("id").values_list("action", "actor", "detail"))
    assert [(action, actor) for action, actor, _ in entries] == [
        ("create connection", "ina"),
        ("edit connection", "ina"),
    ]
    assert entries[1][2] == {"fields": "config_encrypted", "config": "password", "values": "password: replaced"}
    config = {"export_path": "out", "password": None, "private_key": canary_key("canary")}
    connection_service.save(row, ConnectionChanges(name="New", is_default=True, config=config), actor="ina")
    assert AuditEntry.objects.latest("id").detail["values"] == (
        "is_default: no → yes; name: SFTP → New; export_path: in → out; password: removed; private_key: entered"
    )
    assert "canary" not in str(list(AuditEntry.objects.values_list("detail")))


def test_a_config_moved_to_another_row_is_not_opened(organization: Organization) -> None:
    """S2."""
    one, two = new(organization, name="One"), new(organization, name="Two")
    two.config_encrypted = one.config_encrypted
    with pytest.raises(ConfigError, match="'Two' cannot be decrypted"):
        two.stored_config()


def test_a_folder_stays_below_its_organization(organization: Organization, folder: Path) -> None:
    """S9: also when the stored config says otherwise."""
    row = new(organization, config={"mode": "filesystem", "export_path": "in"})
    row.set_config({**row.stored_config(), "root": "/"})
    assert row.runtime_config()["root"] == str(folder)


def test_a_test_is_kept_and_releases_a_block(connection: ERPConnection, folder: Path) -> None:
    health.block(connection.pk, "no folder")
    result = connection_service.test(connection, actor="ina")
    connection.refresh_from_db()
    assert result.success, result.error_message
    assert (connection.last_test_success, connection.blocked_at) == (True, None)
    assert [path.name for path in (folder / "in").iterdir()] == []


def test_a_test_of_unsaved_edits_changes_nothing(connection: ERPConnection) -> None:
    result = connection_service.test(connection, actor="ina", unsaved={"export_path": "nowhere"})
    connection.refresh_from_db()
    assert not result.success
    assert "nowhere" in str(result.error_message)
    assert (connection.last_test_at, connection.stored_config()["export_path"]) == (None, "in")


def test_repeated_failures_pause_a_connection_and_a_success_ends_it(connection: ERPConnection) -> None:
    pauses = []
    for _ in range(5):
        health.record_failure(connection.pk)
        connection.refresh_from_db()
        pauses.append(connection.paused_until)
    assert pauses[:2] == [None, None]
    assert None not in pauses[2:]
    assert pauses[2:] == sorted(set(pauses[2:]))  # type: ignore[type-var] # no None among them
    health.record_success(connection.pk)
    connection.refresh_from_db()
    assert (connection.paused_until, connection.failures_in_a_row) == (None, 0)


def test_a_config_that_cannot_be_decrypted_can_be_entered_anew(organization: Organization) -> None:
    row = new(organization)
    ERPConnection.objects.filter(pk=row.pk).update(config_encrypted=b"damaged")
    row.refresh_from_db()
    with pytest.raises(ConfigError, match="Set a password"):
        connection_service.save(row, ConnectionChanges(config={**SFTP, "password": ""}), actor="ina")
    connection_service.save(row, ConnectionChanges(config=SFTP), actor="ina")
    assert row.stored_config()["password"] == "canary-7361"


OLD = {
    "host": "sftp://old.example",
    "private_key": "-----BEGIN nonsense",
    "passphrase": "unneeded",
    "host_key": "ssh-rsa AAAA",
    "username": "a\x07b",
}


def test_a_config_that_was_stored_before_stays_usable(organization: Organization) -> None:
    """Only what is new is checked, also where a program sends back all that it read."""
    row = new(organization)
    row.set_config({**row.stored_config(), **OLD})
    row.save(update_fields=["config_encrypted"])
    connection_service.save(row, ConnectionChanges(config={**OLD, "timeout_s": 5}), actor="ina")
    assert row.stored_config() | OLD | {"timeout_s": 5} == row.stored_config()
    for name, value in OLD.items() - {("passphrase", "unneeded")}:
        with pytest.raises(ConfigError) as caught:
            connection_service.save(row, ConnectionChanges(config={name: f"{value}\x07-"}), actor="ina")
        assert [error.field for error in caught.value.each] == [name]


def test_a_field_that_comes_alone_is_checked_with_what_is_stored(organization: Organization) -> None:
    row = new(organization, config={**SFTP, "port": 2022})
    entered = {"host": f"{SFTP['host']}:2022", "username": " erp "}
    connection_service.save(row, ConnectionChanges(config=entered), actor="ina")
    assert row.stored_config() | SFTP | {"port": 2022} == row.stored_config()
    with pytest.raises(ConfigError, match="The host names the port 2222, and this field 2022") as caught:
        connection_service.save(row, ConnectionChanges(config={"host": f"{SFTP['host']}:2222"}), actor="ina")
    assert caught.value.field == "port"
    with pytest.raises(ConfigError, match="Enter its passphrase") as caught:
        connection_service.save(row, ConnectionChanges(config={"private_key": LOCKED}), actor="ina")
    assert caught.value.field == "passphrase"
    connection_service.save(row, ConnectionChanges(config={"private_key": LOCKED, "passphrase": "right"}), actor="ina")
    with pytest.raises(ConfigError, match="does not open the private key"):
        connection_service.save(row, ConnectionChanges(config={"passphrase": "wrong"}), actor="ina")


def test_the_history_tells_of_a_second_host_key(organization: Organization) -> None:
    """Also where it begins as the one before it, and the rest is too long to be shown."""
    first, second = (f"ssh-ed25519 SHA256:{letter * 43}" for letter in "AB")
    row = new(organization, config={**SFTP, "host_key": f"{first}\n{second}"})
    connection_service.save(
        row, ConnectionChanges(config={"host_key": f"{first}\n{second}\n{first[:-1]}C"}), actor="ina"
    )
    assert "host_key: " in AuditEntry.objects.latest("id").detail["values"]


def test_what_was_known_of_a_connection_before_stays_known(organization: Organization) -> None:
    """By the migration that brought the columns."""
    at = timezone.now()
    passed, delivered, failed, new_one = (new(organization, name=name).pk for name in ("a", "b", "c", "d"))
    rows = ERPConnection.objects.filter
    rows(pk=passed).update(last_test_success=True, last_test_at=at)
    rows(pk=delivered).update(reached_at=at)
    rows(pk=failed).update(last_test_success=False, last_test_at=at, reached_at=at)
    import_module("connectors.migrations.0007_known_server").keep_what_is_known(apps, None)
    found = {pk: known for pk, *known in ERPConnection.objects.values_list("pk", "works_since", "resolved_at")}
    assert found == {passed: [at, None], delivered: [at, at], failed: [None, at], new_one: [None, None]}
