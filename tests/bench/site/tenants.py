"""Organizations with connections into the benchmark's SFTP server, and somebody who may push."""

from collections.abc import Sequence
from pathlib import Path

from django.contrib.auth.models import User

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from orderflow.api.models import ApiToken
from orderflow.tenancy.models import Membership, Organization
from orderflow.tenancy.roles import Role
from tests.bench.bench import Bench
from tests.bench.drops import connection_config
from tests.support import rows


def connect(bench: Bench, name: str, *, organizations: int = 1, ways: int = 1) -> list[ERPConnection]:
    """Organizations with a customer and `ways` connections each, the first the default; a dropzone for each of them."""
    made = [
        _connection(bench, organization, way)
        for organization in [_organization(f"{name}-{n}") for n in range(organizations)]
        for way in range(ways)
    ]
    rows.add_customers(made)
    return made


def dropzone_of(bench: Bench, connection: ERPConnection) -> Path:
    return bench.sshd.root / str(connection.stored_config()["export_path"]).removesuffix("/in")


def somebody(organization: Organization) -> tuple[User, str]:
    """An administrator of it and a token of theirs."""
    user = User.objects.create_user(f"admin@{organization.slug}", is_staff=True)
    Membership.objects.create(user=user, organization=organization, role=Role.ADMIN)
    _, token = ApiToken.objects.create(user, name="Test")
    return user, token


def empty(folders: Sequence[Path]) -> int:
    """Remove the files in `in` of the dropzones; how many there were."""
    files = [file for folder in folders for file in (folder / "in").iterdir()]
    for file in files:
        file.unlink()
    return len(files)


def _organization(slug: str) -> Organization:
    return Organization.objects.create(name=slug.title(), slug=slug)


def _connection(bench: Bench, organization: Organization, way: int) -> ERPConnection:
    folder = bench.new_folder()
    for name in ("in", "acks"):
        (folder / name).mkdir()
    server = bench.sshd
    config = connection_config(server, server.port, f"{folder.name}/in", ack_path=f"{folder.name}/acks")
    return connection_service.save(
        ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1"),
        ConnectionChanges(name=f"Way {way}", is_default=way == 0, config=config),
        actor="bench",
    )
