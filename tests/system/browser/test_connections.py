"""How people get an ERP connected, and connected again."""

import asyncssh
import pytest
from playwright.sync_api import Page, expect

from connectors.admin import test_report
from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports import push_service
from exports.push_service import PushRequest
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder, SharedServer
from tests.servers.sftp.asyncssh_server import AsyncSSHServer
from tests.servers.sftp.openssh import OpenSSHServer
from tests.support.installation import Installation, eventually
from tests.support.tenants import list_url, page_url
from tests.system.browser.conftest import PageAs
from tests.system.browser.looks import Gallery

STEPS = ["resolve", "connect", "host key", "log in", "start SFTP", "write", "rename", "delete", "list answers"]


@pytest.fixture
def by_password(shared_server: SharedServer) -> AsyncSSHServer:
    server = shared_server("asyncssh")
    assert isinstance(server, AsyncSSHServer)
    for name in ("in", "acks"):
        (server.root / name).mkdir(exist_ok=True)
    return server


@pytest.fixture
def mistrusting(shared_server: SharedServer, organization: Organization) -> tuple[ERPConnection, OpenSSHServer]:
    """A default connection with another host key than its server's."""
    server = shared_server("openssh")
    assert isinstance(server, OpenSSHServer)
    for name in ("in", "acks"):
        (server.root / name).mkdir(exist_ok=True)
    former = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    config = {
        "mode": "sftp", "host": server.host, "port": server.port, "username": server.username,
        "private_key": server.private_key, "host_key": " ".join(former.split()[:2]), "export_path": "in",
    }  # fmt: skip
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    changes = ConnectionChanges(name="ERP", is_default=True, config=config)
    return connection_service.save(row, changes, actor="test"), server


def enter(page: Page, **fields: object) -> None:
    for name, value in fields.items():
        page.locator(f"#id_config_{name}").fill(str(value))


def begin(page: Page) -> None:
    page.goto(list_url(ERPConnection, "add"))
    page.get_by_label("Name").fill("ERP")
    page.get_by_role("button", name="Continue").click()


def steps_shown(page: Page) -> list[str]:
    return [text.strip() for text in page.locator("#connection-test tbody tr td:first-child").all_inner_texts()]


def fingerprint(host_key: str) -> str:
    return asyncssh.import_public_key(host_key).get_fingerprint()


def test_fields_come_and_go_with_the_mode(page_as: PageAs, gallery: Gallery) -> None:
    page = page_as(Role.INTEGRATOR)
    begin(page)
    mode, host, orders = (page.locator(f"#id_config_{name}") for name in ("mode", "host", "export_path"))
    expect(host).to_be_visible()
    gallery.look_at(page, "add-server")
    enter(page, host="sftp.acme.example", port=99999)
    mode.select_option("filesystem")
    for name in ("host", "port", "username", "password", "private_key", "passphrase", "host_key", "timeout_s"):
        expect(page.locator(f"#id_config_{name}")).to_be_hidden()
    expect(orders).to_be_visible()
    gallery.look_at(page, "add-folder")
    enter(page, export_path="in")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("ERP is saved. Test it now.")).to_be_visible()
    expect(page.locator("#id_config_host")).to_be_hidden()
    page.locator("#id_config_mode").select_option("sftp")
    expect(page.locator("#id_config_host")).to_have_value("")


@pytest.mark.pictures
def test_an_erp_is_connected(
    page_as: PageAs, by_password: AsyncSSHServer, processes: Installation, gallery: Gallery
) -> None:
    """S5. The wrong password first: only when the host key is accepted is it offered."""
    server, page, attempts = by_password, page_as(Role.INTEGRATOR), len(by_password.attempts)
    processes.start("worker")
    begin(page)
    enter(page, username=server.username, password="wrong", export_path="/in", ack_path="/acks")
    enter(page, host="sftp.acme.example")
    gallery.show(page, "connection", height=1780)
    enter(page, host=server.host, port=server.port)
    page.get_by_role("button", name="Save and test").click()

    report = page.locator("#connection-test")
    expect(report).to_contain_text("a host key that nobody has accepted yet")
    expect(report).to_contain_text(fingerprint(server.host_key))
    assert len(server.attempts) == attempts
    page.get_by_role("button", name="Accept this host key").click()

    expect(report).to_contain_text("refused the password of user 'erp'. Check username and password")
    assert steps_shown(page) == STEPS[:4]
    gallery.look_at(page, "refused")
    enter(page, password=server.password)
    page.get_by_role("button", name="Test connection").click()
    expect(report).to_contain_text("What stands in the form works")
    assert steps_shown(page) == STEPS
    assert not ERPConnection.objects.get().last_test_success

    page.get_by_role("button", name="Save and test").click()
    expect(report).to_contain_text("The stored connection works")
    gallery.show(page, "connection-test")
    gallery.look_at(page, "passed")
    page.goto(list_url(ERPConnection))
    expect(page.locator("#result_list")).to_contain_text("passed in")


def test_a_key_of_a_server_that_is_not_saved_yet_goes_into_the_form(
    page_as: PageAs, by_password: AsyncSSHServer, connection: ERPConnection, processes: Installation
) -> None:
    """S5."""
    server, page = by_password, page_as(Role.INTEGRATOR)
    processes.start("worker")
    page.goto(page_url(connection))
    page.locator("#id_config_mode").select_option("sftp")
    enter(page, host=server.host, port=server.port, username=server.username, password=server.password)
    enter(page, export_path="/in", ack_path="")
    page.get_by_role("button", name="Test connection").click()
    page.get_by_role("button", name="Accept this host key").click()
    expect(page.locator("#connection-test")).to_contain_text("What stands in the form works")
    expect(page.locator("#id_config_host_key")).to_have_value(server.host_key)
    connection.refresh_from_db()
    assert connection.stored_config()["mode"] == "filesystem"


def test_a_new_key_of_a_server_that_is_not_saved_yet_comes_beside_the_one_before(
    page_as: PageAs, by_password: AsyncSSHServer, connection: ERPConnection, processes: Installation, gallery: Gallery
) -> None:
    """S5."""
    server, page = by_password, page_as(Role.INTEGRATOR)
    former = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
    processes.start("worker")
    page.goto(page_url(connection))
    page.locator("#id_config_mode").select_option("sftp")
    enter(page, host=f"sftp://{server.username}@{server.host}:{server.port}/", password=server.password)
    enter(page, export_path="/in", ack_path="", host_key=f"sftp.acme.example {former} old key\n")
    page.get_by_role("button", name="Test connection").click()
    page.get_by_label("Keep the keys accepted so far").check()
    gallery.look_at(page, "keep-host-key")
    page.get_by_role("button", name="Accept this host key").click()
    expect(page.locator("#connection-test")).to_contain_text("What stands in the form works")
    expect(page.locator("#connection-test")).to_contain_text("one of 2 accepted keys")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(page_url(connection))
    expect(page.locator("#id_config_host")).to_have_value(server.host)
    expect(page.locator("#id_config_port")).to_have_value(str(server.port))
    expect(page.locator("#id_config_username")).to_have_value(server.username)
    expect(page.locator("#id_config_host_key")).to_have_value(f"{former}\n{server.host_key}")


def test_what_is_wrong_with_a_form_stands_at_its_fields(page_as: PageAs, gallery: Gallery) -> None:
    page = page_as(Role.INTEGRATOR)
    begin(page)
    enter(page, host="ftp://files.acme.example", private_key="ssh-ed25519 AAAAC3Nza erp@acme", host_key="nonsense")
    page.get_by_role("button", name="Save", exact=True).click()
    for text in (
        "It begins with ftp://", "An SFTP server needs it.", "This is the public key.", "It cannot be read.",
        "This field is required.",
    ):  # fmt: skip
        expect(page.get_by_text(text)).to_be_visible()
    gallery.look_at(page, "wrong-fields")


def test_another_host_key_blocks_and_its_acceptance_releases(
    page_as: PageAs,
    mistrusting: tuple[ERPConnection, OpenSSHServer],
    make_order: MakeOrder,
    processes: Installation,
    gallery: Gallery,
) -> None:
    """S5. What waited goes."""
    row, openssh = mistrusting
    pinned, shown = fingerprint(row.stored_config()["host_key"]), fingerprint(openssh.host_key)
    export = push_service.push(PushRequest(order=make_order(), actor="ops"))
    processes.start("worker")
    eventually(lambda: ERPConnection.objects.exclude(blocked_at=None).first(), within_s=20, what="the block")

    page = page_as(Role.INTEGRATOR)
    page.goto(page_url(row))
    expect(page.get_by_text("Blocked since")).to_contain_text(pinned)
    expect(page.get_by_text("Blocked since")).to_contain_text(shown)
    page.get_by_role("button", name="Test connection").click()
    report = page.locator("#connection-test")
    expect(report).to_contain_text("somebody may be in between")
    expect(report).to_contain_text(pinned)
    expect(report).to_contain_text(shown)
    gallery.look_at(page, "another-host-key")

    page.get_by_role("button", name="Accept this host key").click()
    expect(report).to_contain_text("The stored connection works")
    expect(page.get_by_text("Blocked since")).to_have_count(0)

    def sent() -> bool:
        export.refresh_from_db()
        return export.status == "SENT"

    eventually(sent, within_s=20, what="the order's sending")


def test_a_test_that_no_worker_takes_says_so(
    page_as: PageAs, connection: ERPConnection, processes: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once it has passed, the block is off the page."""
    monkeypatch.setattr(test_report, "TAKEN_AFTER", test_report.TAKEN_AFTER / 5)
    health.block(connection.pk, "The folder was not mounted.")
    page = page_as(Role.INTEGRATOR)
    page.goto(page_url(connection))
    expect(page.get_by_text("Blocked since")).to_be_visible()
    page.get_by_role("button", name="Test connection").click()
    report = page.locator("#connection-test")
    expect(report).to_contain_text("Waiting for a worker.")
    expect(report).to_contain_text("No worker has taken it up yet")
    processes.start("worker")
    expect(report).to_contain_text("The stored connection works", timeout=60_000)
    expect(page.get_by_text("Blocked since")).to_have_count(0)
