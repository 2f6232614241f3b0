import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import asyncssh
import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from connectors.connections import health, test_runs
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ConnectionTest, ERPConnection
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.servers.sftp.asyncssh_server import AsyncSSHServer
from tests.support.admin.connection_tests import run_tests
from tests.support.canary_key import canary_key
from tests.support.tenants import list_url, log_in, log_in_superuser, page_url

CANARIES = {
    "password": "canary-password",
    "passphrase": "canary-passphrase",
    "private_key": canary_key("canary"),
}
ADD = "/admin/connectors/erpconnection/add/"


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.INTEGRATOR)


@pytest.fixture
def sftp(organization: Organization) -> ERPConnection:
    config = {"mode": "sftp", "host": "sftp.acme.example", "username": "erp", "export_path": "/in", **CANARIES}
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    return connection_service.save(row, ConnectionChanges(name="SFTP", config=config, is_default=False), actor="test")


def config_form(**changes: Any) -> dict[str, Any]:
    """What the browser sends for a connection into the folder `in`, with `changes` over it."""
    fields = {
        "name": "ERP", "status": "ACTIVE", "config_mode": "filesystem", "config_port": 22, "config_export_path": "in",
        "config_atomic_write": "on", "config_temp_name": "{name}.tmp", "config_timeout_s": 30,
        "config_ack_timeout_h": 24,
    }  # fmt: skip
    return fields | changes


def sftp_form(**changes: Any) -> dict[str, Any]:
    sftp = {"name": "SFTP", "config_mode": "sftp", "config_host": "sftp.acme.example", "config_username": "erp"}
    return config_form(**sftp, config_export_path="/in") | changes


def save(client: Client, connection: ERPConnection, data: dict[str, Any]) -> str:
    page = client.post(page_url(connection), data | {"_continue": "1"}, follow=True)
    assert page.status_code == 200
    connection.refresh_from_db()
    return page.content.decode()


def press_test(client: Client, connection: ERPConnection) -> str:
    """And have it run: the page then."""
    client.post(page_url(connection, "do", "test"))
    run_tests()
    connection.refresh_from_db()
    return client.get(page_url(connection)).content.decode()


def try_url(connection: ERPConnection) -> str:
    return f"/admin/connectors/erpconnection/{connection.pk}/connection-test/"


def seen(report: str) -> str:
    """The version of a report that the browser says it has."""
    found = re.search(r'\?seen=([^"&]+)', report)
    assert found
    return unquote(found[1])


def tight(page: str) -> str:
    """Without the space between a tag and its text."""
    return re.sub(r"\s*([<>])\s*", r"\1", page)


def undecryptable(connection: ERPConnection) -> None:
    ERPConnection.objects.filter(pk=connection.pk).update(config_encrypted=b"\x01" + b"?" * 60)
    connection.refresh_from_db()


def test_the_type_is_asked_first_and_then_its_own_fields(client: Client) -> None:
    start = client.get(ADD).content.decode()
    assert 'value="DROPZONE_JSON_V1"' in start
    assert "config_host" not in start
    page = client.get(ADD, {"name": "ERP", "connector_type": "DROPZONE_JSON_V1"}).content.decode()
    assert 'value="ERP"' in page
    assert 'name="config_host"' in page
    assert "Name or address of the SFTP server." in page
    assert "config_encrypted" not in page


def test_the_first_connection_is_the_default_and_the_page_says_so(client: Client, organization: Organization) -> None:
    """A8. The box was not ticked; the second one takes nothing away."""
    add = f"{ADD}?connector_type=DROPZONE_JSON_V1"
    assert "The first connection of an organization becomes its default." in client.get(add).content.decode()
    page = client.post(add, config_form(), follow=True).content.decode()
    assert "ERP is the default connection of Acme: orders are pushed over it." in page
    page = client.post(add, config_form(name="Other"), follow=True).content.decode()
    assert "is the default connection" not in page
    assert ERPConnection.objects.get(is_default=True).name == "ERP"


def test_a_connection_is_added(client: Client, organization: Organization) -> None:
    page = client.post(f"{ADD}?connector_type=DROPZONE_JSON_V1", config_form(is_default="on"), follow=True)
    connection = ERPConnection.objects.get()
    assert (connection.organization, connection.name, connection.is_default) == (organization, "ERP", True)
    assert connection.stored_config()["export_path"] == "in"
    assert "ERP is saved. Test it now." in page.content.decode()
    assert AuditEntry.objects.get().action == "create connection"


def test_a_superuser_adds_a_connection_for_an_organization(organization: Organization) -> None:
    data = config_form(organization=organization.pk)
    log_in_superuser().post(f"{ADD}?connector_type=DROPZONE_JSON_V1", data)
    assert ERPConnection.objects.get().organization == organization


@pytest.mark.parametrize("wrong", ["NO_SUCH_TYPE", ""])
def test_an_unknown_connector_type_is_told(client: Client, wrong: str) -> None:
    for page in (
        client.get(ADD, {"connector_type": wrong}),
        client.post(f"{ADD}?connector_type={wrong}", config_form()),
    ):
        assert page.status_code == 200
        assert f"Connector type &#x27;{wrong}&#x27; is unknown. Known types: DROPZONE_JSON_V1" in page.content.decode()
    assert not ERPConnection.objects.exists()


@pytest.mark.parametrize(
    ("change", "field", "error"),
    [
        ({"config_export_path": ""}, "config_export_path", "This field is required."),
        (
            {"config_mode": "sftp", "config_port": "ssh"},
            "config_port",
            "is not a number. Write it as 1234.50 or 1234,50.",
        ),
        ({"config_mode": "sftp", "config_port": "70000"}, "config_port", "less than or equal to 65535"),
        ({"config_mode": "ftp"}, "config_mode", "Select a valid choice."),
        ({"config_mode": "sftp", "config_username": "erp", "config_password": "x"}, "config_host", "needs it."),
        ({"config_mode": "sftp", "config_host": "h", "config_username": "erp"}, "config_password", "private key."),
        ({"config_export_path": "../up"}, "config_export_path", "no &#x27;..&#x27;"),
        ({"name": ""}, "name", "This field is required."),
    ],
)
def test_wrong_input_is_told_at_its_field(client: Client, change: dict[str, str], field: str, error: str) -> None:
    page = client.post(f"{ADD}?connector_type=DROPZONE_JSON_V1", config_form(**change))
    assert field in page.context["adminform"].form.errors
    assert error in page.content.decode()
    assert not ERPConnection.objects.exists()


def test_what_the_other_mode_left_in_its_fields_counts_for_nothing(client: Client) -> None:
    typed = {
        "config_host": "sftp.acme.example",
        "config_port": "ssh",
        "config_password": "typed",
        "config_host_key": "?",
    }
    client.post(f"{ADD}?connector_type=DROPZONE_JSON_V1", config_form(**typed))
    config = ERPConnection.objects.get().stored_config()
    assert [config[name] for name in ("host", "port", "password", "host_key")] == ["", 22, "", ""]


def test_a_folder_keeps_nothing_of_the_server_before_it(client: Client, sftp: ERPConnection) -> None:
    """S4. Nobody would look for a password behind a mode that has none."""
    save(client, sftp, sftp_form(config_mode="filesystem", clear_password="on", config_password="new"))
    config = sftp.stored_config()
    assert config["mode"] == "filesystem"
    assert not any(config[name] for name in ("host", "username", *CANARIES))


def test_the_form_says_which_field_belongs_to_which_mode(client: Client, sftp: ERPConnection) -> None:
    page = client.get(page_url(sftp)).content.decode()
    assert page.count("""x-show="config_mode == &quot;sftp&quot;\"""") == 11


def test_a_name_is_taken_once(client: Client, sftp: ERPConnection) -> None:
    page = client.post(f"{ADD}?connector_type=DROPZONE_JSON_V1", config_form(name="SFTP"))
    assert "already exists" in page.content.decode()


def test_the_new_default_takes_the_place_of_the_old(client: Client, connection: ERPConnection) -> None:
    client.post(f"{ADD}?connector_type=DROPZONE_JSON_V1", config_form(is_default="on"))
    assert list(ERPConnection.objects.filter(is_default=True).values_list("name", flat=True)) == ["ERP"]


def test_no_page_holds_a_secret(client: Client, sftp: ERPConnection) -> None:
    """S4. Also not what was just typed into a form that has another mistake."""
    typed = {f"config_{name}": f"typed-{value}" for name, value in CANARIES.items()}
    typed["config_private_key"] = canary_key("canarycanary")
    pages = [
        client.get(url).content.decode() for url in (page_url(sftp), list_url(ERPConnection), page_url(sftp, "history"))
    ]
    pages.append(save(client, sftp, sftp_form(**typed, config_port="wrong")))
    pages.append(save(client, sftp, sftp_form(**typed)))
    pages.append(press_test(client, sftp))
    pages.append(client.get("/admin/tenancy/auditentry/").content.decode())
    assert "canary" in CANARIES["private_key"]
    assert all("canary" not in page for page in pages)
    assert str(bytes(sftp.config_encrypted)) not in "".join(pages)
    assert sftp.stored_config()["password"] == "typed-canary-password"
    assert "canary" not in str(list(AuditEntry.objects.values("detail")))


def test_a_blank_secret_keeps_the_stored_one(client: Client, sftp: ERPConnection) -> None:
    page = client.get(page_url(sftp)).content.decode()
    assert "One is stored. Leave this blank to keep it." in page
    save(client, sftp, sftp_form(config_username="other"))
    assert sftp.stored_config() | CANARIES == sftp.stored_config()
    assert sftp.stored_config()["username"] == "other"


def test_a_stored_secret_does_not_follow_to_another_server(client: Client, sftp: ERPConnection) -> None:
    """S4, S7."""
    page = save(client, sftp, sftp_form(config_host="evil.example", clear_private_key="on", clear_passphrase="on"))
    assert "The password was entered for host sftp.acme.example; enter it again for host evil.example" in page
    assert sftp.stored_config()["host"] == "sftp.acme.example"
    save(client, sftp, sftp_form(
        config_host="new.example", config_password="new", clear_private_key="on", clear_passphrase="on",
    ))  # fmt: skip
    assert (sftp.stored_config()["host"], sftp.stored_config()["password"]) == ("new.example", "new")


def test_the_box_removes_a_secret(client: Client, sftp: ERPConnection) -> None:
    save(client, sftp, sftp_form(clear_password="on"))
    assert not sftp.stored_config().get("password")
    assert sftp.stored_config()["private_key"] == CANARIES["private_key"]
    assert 'name="clear_password"' not in client.get(page_url(sftp)).content.decode()


def test_a_secret_is_not_set_and_removed_at_once(client: Client, sftp: ERPConnection) -> None:
    page = save(client, sftp, sftp_form(clear_password="on", config_password="new"))
    assert "not both" in page
    assert sftp.stored_config()["password"] == CANARIES["password"]


def test_the_last_way_to_log_in_is_not_removed(client: Client, sftp: ERPConnection) -> None:
    page = save(client, sftp, sftp_form(clear_password="on", clear_private_key="on"))
    assert "Set a password or a private key." in page
    assert sftp.stored_config()["password"] == CANARIES["password"]


def test_an_edit_names_fields_on_record_and_ends_a_block(client: Client, sftp: ERPConnection) -> None:
    health.block(sftp.pk, "The password was refused.")
    assert "The password was refused." in client.get(page_url(sftp)).content.decode()
    save(client, sftp, sftp_form(config_password="right"))
    assert sftp.blocked_at is None
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.detail["config"]) == ("edit connection", "password")
    assert AuditEntry.objects.filter(action__startswith="edit").count() == 1


def test_saving_without_a_change_leaves_a_block_as_it_is(client: Client, sftp: ERPConnection) -> None:
    health.block(sftp.pk, "The password was refused.")
    save(client, sftp, sftp_form())
    assert sftp.blocked_at is not None


def test_a_viewer_sees_state_and_no_config(sftp: ERPConnection, organization: Organization) -> None:
    """S14."""
    page = log_in(organization, Role.VIEWER).get(page_url(sftp)).content.decode()
    assert "SFTP" in page
    assert "sftp.acme.example" not in page
    assert "/do/" not in page


def test_an_undecryptable_config_is_told_and_entered_anew(client: Client, sftp: ERPConnection) -> None:
    undecryptable(sftp)
    page = client.get(page_url(sftp)).content.decode()
    assert "cannot be decrypted" in page
    page = save(client, sftp, sftp_form())
    assert "Set a password or a private key." in page
    assert "cannot be decrypted" in page
    save(client, sftp, sftp_form(config_password="anew"))
    assert sftp.stored_config()["password"] == "anew"
    assert "cannot be decrypted" not in client.get(page_url(sftp)).content.decode()


def test_an_undecryptable_config_fails_the_test_with_the_reason(client: Client, sftp: ERPConnection) -> None:
    undecryptable(sftp)
    assert "cannot be decrypted" in press_test(client, sftp)
    assert sftp.last_test_success is False


def test_a_connector_that_is_gone_is_told_and_the_rest_can_be_edited(client: Client, sftp: ERPConnection) -> None:
    ERPConnection.objects.filter(pk=sftp.pk).update(connector_type="GONE_V1")
    page = client.get(page_url(sftp)).content.decode()
    assert "Connector type &#x27;GONE_V1&#x27; is unknown." in page
    save(client, sftp, {"name": "Old", "status": "DISABLED"})
    assert (sftp.name, sftp.status) == ("Old", "DISABLED")
    assert "GONE_V1" in client.get(list_url(ERPConnection)).content.decode()
    assert "is unknown" in press_test(client, sftp)


def test_a_test_shows_its_steps(client: Client, connection: ERPConnection, folder: Path) -> None:
    page = press_test(client, connection)
    assert "The stored connection works" in page
    for step in ("write", "rename", "delete", "list answers"):
        assert f">{step}</td>" in tight(page)
    assert connection.last_test_success is True
    assert "passed in" in client.get(list_url(ERPConnection)).content.decode()


def test_a_failed_test_says_what_to_do(client: Client, connection: ERPConnection, folder: Path) -> None:
    (folder / "in").rmdir()
    page = press_test(client, connection)
    assert connection.last_test_message
    assert escape(connection.last_test_message) in page
    assert connection.last_test_success is False


def test_a_test_tries_the_edits_with_the_stored_secret(
    client: Client, sftp: ERPConnection, shared_asyncssh: AsyncSSHServer
) -> None:
    """S4. What a browser hears of it holds no secret, and nothing is saved."""
    server = shared_asyncssh
    (server.root / "in").mkdir(exist_ok=True)
    stored = {
        "host": server.host, "port": server.port, "username": "nobody", "host_key": server.host_key,
        "password": server.password, "private_key": None, "passphrase": None,
    }  # fmt: skip
    connection_service.save(sftp, ConnectionChanges(config=stored), actor="test")
    edits = sftp_form(
        config_host=server.host, config_port=server.port, config_username=server.username,
        config_host_key=server.host_key,
    )  # fmt: skip
    asked = client.post(try_url(sftp), edits).content.decode()
    assert "Waiting for a worker." in asked
    assert client.get(try_url(sftp), {"seen": seen(asked)}).status_code == 204
    run_tests()
    told = client.get(try_url(sftp), {"seen": seen(asked)}).content.decode()
    assert "What stands in the form works" in told
    assert "hx-get" not in told
    assert "canary" not in asked + told
    assert str(server.password) not in asked + told
    sftp.refresh_from_db()
    assert (sftp.stored_config()["username"], sftp.last_test_at) == ("nobody", None)


def test_a_form_with_a_mistake_is_not_tried(client: Client, sftp: ERPConnection) -> None:
    page = client.post(try_url(sftp), sftp_form(config_host="", config_port="70000")).content.decode()
    assert "Port: Ensure this value is less than or equal to 65535." in page
    assert not ConnectionTest.objects.exists()


def test_a_passed_test_of_a_blocked_connection_reloads_the_page(
    client: Client, connection: ERPConnection, folder: Path
) -> None:
    health.block(connection.pk, "The folder was not mounted.")
    asked = client.post(try_url(connection), config_form(name="Folder", config_ack_path="acks", is_default="on"))
    assert "unusable=1" in asked.content.decode()
    run_tests()
    assert client.get(try_url(connection), {"unusable": "1"})["HX-Refresh"] == "true"
    assert "HX-Refresh" not in client.get(try_url(connection))


def test_a_viewer_neither_asks_for_a_test_nor_watches_one(sftp: ERPConnection, organization: Organization) -> None:
    """S8, S14."""
    client = log_in(organization, Role.VIEWER)
    assert client.post(try_url(sftp), sftp_form()).status_code == 403
    assert client.get(try_url(sftp)).status_code == 403
    assert 'id="test-connection"' not in client.get(page_url(sftp)).content.decode()
    assert not ConnectionTest.objects.exists()


def test_an_operator_tests_what_is_stored_and_edits_nothing(
    connection: ERPConnection, folder: Path, organization: Organization
) -> None:
    """S14. What the form would send is not tried, and no host key is offered."""
    health.block(connection.pk, "The folder was not mounted.")
    client = log_in(organization, Role.OPS)
    page = client.get(page_url(connection)).content.decode()
    assert 'id="test-connection"' in page
    assert "Tries the stored connection:" in page
    assert 'name="config_export_path"' not in page
    assert client.post(page_url(connection), config_form(config_export_path="other")).status_code == 403
    asked = client.post(try_url(connection), config_form(config_export_path="nowhere"))
    assert asked.status_code == 200
    test = ConnectionTest.objects.get()
    assert (test.has_edits, test.asked_by) == (False, "ops@acme")
    run_tests()
    assert client.get(try_url(connection), {"unusable": "1"})["HX-Refresh"] == "true"
    connection.refresh_from_db()
    assert (connection.blocked_at, connection.last_test_success) == (None, True)
    ConnectionTest.objects.update(host_key="ssh-ed25519 AAAA")
    page = client.get(page_url(connection)).content.decode()
    assert "An administrator or integrator of your organization can accept it." in page
    assert "Accept this host key" not in page
    assert client.post(f"/admin/connectors/erpconnection/{connection.pk}/host-key/").status_code == 403


def test_an_operator_resumes_a_paused_connection(connection: ERPConnection, organization: Organization) -> None:
    """S14."""
    client = log_in(organization, Role.OPS)
    ERPConnection.objects.update(paused_until=timezone.now() + timedelta(minutes=5), failures_in_a_row=3)
    assert "Resume now" in client.get(page_url(connection)).content.decode()
    client.post(page_url(connection, "do", "resume"))
    connection.refresh_from_db()
    assert connection.paused_until is None
    assert AuditEntry.objects.get(action="resume connection").actor == "ops@acme"


def test_saving_and_testing_is_one_click(client: Client, folder: Path, connection: ERPConnection) -> None:
    data = config_form(connectors_erpconnection_save_and_test="")
    page = client.post(f"{ADD}?connector_type=DROPZONE_JSON_V1", data, follow=True).content.decode()
    assert "Waiting for a worker." in page
    added = ERPConnection.objects.get(name="ERP")
    assert added.tests.count() == 1
    again = client.post(page_url(added), data | {"name": "Renamed"}, follow=True)
    assert again.redirect_chain == [(page_url(added), 302)]
    added.refresh_from_db()
    assert (added.name, added.tests.count()) == ("Renamed", 1)


def test_a_test_that_has_to_wait_says_for_what(client: Client, sftp: ERPConnection, connection: ERPConnection) -> None:
    client.post(try_url(sftp), sftp_form())
    earlier = timezone.now() - timedelta(minutes=2)
    ConnectionTest.objects.update(asked_at=earlier)
    report = client.get(try_url(sftp)).content.decode()
    assert "No worker has taken it up yet, after 2\xa0minutes. Is one running?" in report
    running = test_runs.ask(connection, actor="ina")
    ConnectionTest.objects.filter(pk=running.pk).update(state="RUNNING", place=0)
    assert "this one is next in line" in client.get(try_url(sftp)).content.decode()


def test_many_are_tested_from_the_list(client: Client, connection: ERPConnection, sftp: ERPConnection) -> None:
    ERPConnection.objects.filter(pk=sftp.pk).update(connector_type="GONE_V1")
    data = {"action": "test", "_selected_action": [connection.pk, sftp.pk]}
    page = client.post(list_url(ERPConnection), data, follow=True).content.decode()
    assert "2 ERP connections will be tested now." in page
    assert "2 refused." in client.post(list_url(ERPConnection), data, follow=True).content.decode()
    run_tests()
    tested = dict(ERPConnection.objects.values_list("name", "last_test_success"))
    assert tested == {"Folder": True, "SFTP": False}
    assert "is unknown" in client.get(list_url(ERPConnection)).content.decode()


def test_a_host_key_is_shown_accepted_and_pinned(
    client: Client, sftp: ERPConnection, shared_asyncssh: AsyncSSHServer
) -> None:
    """S5."""
    server = shared_asyncssh
    (server.root / "in").mkdir(exist_ok=True)
    save(client, sftp, sftp_form(
        config_host=server.host, config_port=server.port, config_username=server.username,
        config_password=server.password, clear_private_key="on", clear_passphrase="on",
    ))  # fmt: skip
    shown = asyncssh.import_public_key(server.host_key).get_fingerprint()
    page = press_test(client, sftp)
    assert shown in page
    assert f'name="host_key" value="{server.host_key}"' in page
    client.post(f"/admin/connectors/erpconnection/{sftp.pk}/host-key/", {"host_key": server.host_key})
    sftp.refresh_from_db()
    assert sftp.stored_config()["host_key"] == server.host_key
    assert AuditEntry.objects.latest("id").detail["config"] == "host_key"
    # One click was enough for both.
    run_tests()
    assert "The stored connection works" in client.get(page_url(sftp)).content.decode()


def test_another_host_key_is_shown_beside_the_accepted_one(
    client: Client, sftp: ERPConnection, shared_asyncssh: AsyncSSHServer
) -> None:
    """S5."""
    server, attempts = shared_asyncssh, len(shared_asyncssh.attempts)
    accepted = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
    text = " ".join(accepted.export_public_key().decode().split()[:2])
    save(client, sftp, sftp_form(
        config_host=server.host, config_port=server.port, config_host_key=text, config_password="x",
        clear_private_key="on", clear_passphrase="on",
    ))  # fmt: skip
    page = press_test(client, sftp)
    assert accepted.get_fingerprint() in page
    assert asyncssh.import_public_key(server.host_key).get_fingerprint() in page
    assert "somebody may be in between" in page
    assert len(server.attempts) == attempts


@pytest.mark.parametrize("keep", [True, False])
def test_an_accepted_host_key_is_kept_beside_the_new_one_only_if_the_person_wants(
    keep: bool, client: Client, sftp: ERPConnection, shared_asyncssh: AsyncSSHServer
) -> None:
    """S5. During an announced change of keys both are shown in turn."""
    server = shared_asyncssh
    former = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
    save(client, sftp, sftp_form(
        config_host=server.host, config_port=server.port, config_username=server.username, config_host_key=former,
        config_password=server.password, clear_private_key="on", clear_passphrase="on",
    ))  # fmt: skip
    assert 'name="keep"' in press_test(client, sftp)
    data = {"host_key": server.host_key, **({"keep": "on"} if keep else {})}
    client.post(f"/admin/connectors/erpconnection/{sftp.pk}/host-key/", data)
    sftp.refresh_from_db()
    assert sftp.stored_config()["host_key"].split("\n") == [former, server.host_key][0 if keep else 1 :]
    assert "host_key: ssh-ed25519" in AuditEntry.objects.latest("id").detail["values"]
    (server.root / "in").mkdir(exist_ok=True)
    run_tests()
    page = client.get(page_url(sftp)).content.decode()
    assert ("one of 2 accepted keys" in page) is keep
    assert "The stored connection works" in page


def test_required_fields_are_marked(client: Client) -> None:
    page = tight(client.get(ADD, {"connector_type": "DROPZONE_JSON_V1"}).content.decode())
    for name, required in {
        "Name": True, "Host": True, "Username": True, "Folder for orders": True, "Port": False, "Password": False,
        "Host key": False,
    }.items():  # fmt: skip
        assert (re.search(rf">{name}<span[^>]*>\*", page) is not None) is required, name


@pytest.mark.parametrize("host_key", ["", "nonsense", "ssh-ed25519 ???", "<script>"])
def test_what_is_no_host_key_is_not_pinned(client: Client, sftp: ERPConnection, host_key: str) -> None:
    url = f"/admin/connectors/erpconnection/{sftp.pk}/host-key/"
    page = client.post(url, {"host_key": host_key}, follow=True)
    assert page.status_code == 200
    assert [message.level_tag for message in page.context["messages"]] == ["error"]
    sftp.refresh_from_db()
    assert not sftp.stored_config().get("host_key")


def test_a_host_key_is_pinned_by_a_post_of_an_integrator_only(
    client: Client, sftp: ERPConnection, organization: Organization
) -> None:
    """S13, S14."""
    url, data = f"/admin/connectors/erpconnection/{sftp.pk}/host-key/", {"host_key": "ssh-ed25519 AAAA"}
    assert client.get(url, data).status_code == 405
    assert log_in(organization, Role.OPS).post(url, data).status_code == 403
    assert log_in(organization, Role.INTEGRATOR, enforce_csrf=True).post(url, data).status_code == 403
    sftp.refresh_from_db()
    assert not sftp.stored_config().get("host_key")


def test_what_a_server_said_is_escaped(client: Client, sftp: ERPConnection) -> None:
    """S16."""
    said = "<script>alert(1)</script>"
    ERPConnection.objects.filter(pk=sftp.pk).update(
        name=said, blocked_at=timezone.now(), blocked_reason=said, last_test_message=said, last_test_success=False,
        last_test_at=timezone.now(), last_test_latency_ms=1,
    )  # fmt: skip
    for url in (page_url(sftp), list_url(ERPConnection)):
        page = client.get(url).content.decode()
        assert said not in page
        assert "&lt;script&gt;" in page


def test_the_list_says_how_each_connection_fares(
    client: Client, connection: ERPConnection, sftp: ERPConnection
) -> None:
    health.block(sftp.pk, "The password was refused.")
    later = timezone.now() + timedelta(hours=1)
    ERPConnection.objects.filter(pk=connection.pk).update(paused_until=later, failures_in_a_row=3)
    page = client.get(list_url(ERPConnection)).content.decode()
    assert "Blocked" in page
    assert "The password was refused." in page
    assert f"Paused until {timezone.localtime(later):%Y-%m-%d %H:%M}" in page
    assert "3 sessions in a row failed." in client.get(page_url(connection)).content.decode()


def fares(client: Client, connection: ERPConnection) -> set[str]:
    """The health that the list and the page show: the same."""
    shown = set()
    for url in (list_url(ERPConnection), page_url(connection)):
        badge = client.get(url).content.decode().partition(f'<span id="health-{connection.pk}">')[2]
        shown.add(badge.partition("</span>")[0].rpartition(">")[2].strip())
    return shown


def test_a_connection_is_green_only_once_it_is_known_to_work(
    client: Client, connection: ERPConnection, folder: Path
) -> None:
    """By a test; an edit of its config takes that away, a new name does not."""
    assert fares(client, connection) == {"Not tested yet"}
    (folder / "in").rmdir()
    assert not connection_service.test(connection, actor="ina").success
    assert fares(client, connection) == {"Last test failed"}
    (folder / "in").mkdir()
    assert connection_service.test(connection, actor="ina").success
    assert fares(client, connection) == {"Active"}
    connection_service.save(connection, ConnectionChanges(name="New", config={"export_path": "in"}), actor="ina")
    assert fares(client, connection) == {"Active"}
    connection_service.save(connection, ConnectionChanges(config={"temp_name": "tmp_{name}"}), actor="ina")
    assert fares(client, connection) == {"Not tested yet"}


def test_the_end_of_a_test_shows_the_new_health_without_a_reload(
    client: Client, connection: ERPConnection, folder: Path
) -> None:
    press_test(client, connection)
    run_tests()
    report = client.get(try_url(connection)).content.decode()
    swapped = report.partition(f'id="health-{connection.pk}" hx-swap-oob="innerHTML"')[2]
    assert "Active" in swapped
    assert "hx-swap-oob" not in client.get(page_url(connection)).content.decode()


def test_the_page_tells_who_changed_what(sftp: ERPConnection, organization: Organization) -> None:
    """S14. With values for who may edit it, without for the others, and in no list."""
    connection_service.save(sftp, ConnectionChanges(config={"export_path": "out"}), actor="ina")
    health.block(sftp.pk, "Log-in refused.")
    editor, viewer = log_in(organization, Role.INTEGRATOR), log_in(organization, Role.VIEWER)
    page = editor.get(page_url(sftp)).content.decode()
    assert "export_path: /in → out" in page
    told = [page.index(text) for text in ("Log-in refused.</p>", "by ina", "Create connection")]
    assert told == sorted(told)
    assert f"{list_url(AuditEntry)}?q={sftp.pk}" in page
    page = viewer.get(page_url(sftp)).content.decode()
    assert "by ina" in page
    for client in (editor, viewer):
        assert "Edit connection" not in client.get(list_url(AuditEntry), {"q": "nobody"}).content.decode()
        found = client.get(list_url(AuditEntry), {"q": str(sftp.pk)}).content.decode()
        assert "edit connection" in found
        assert "→" not in found
    assert "→ out" not in page


def test_a_superusers_form_moves_no_connection_to_another_organization(
    sftp: ERPConnection, organization: Organization
) -> None:
    """S1, S2: its secrets are encrypted for the row and its organization."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    save(log_in_superuser(), sftp, sftp_form(name="Renamed", organization=globex.pk))
    assert (sftp.name, sftp.organization) == ("Renamed", organization)
    assert sftp.stored_config()["password"] == CANARIES["password"]
