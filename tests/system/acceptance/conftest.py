"""Two whole installations: everything on one machine, and everything beyond it."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.servers.ports import free_port
from tests.servers.postgres import postgres
from tests.servers.redis import redis
from tests.servers.sftp.openssh import openssh_server
from tests.support.installation import Installation, installed

REGION = "eu-central-1"


@dataclass(frozen=True, kw_only=True)
class Site:
    """An installation, its dropzone as the ERP sees it, and the config of a connection into it."""

    installation: Installation
    dropzone: Path
    config: dict[str, Any]
    bucket: Any = None

    def stored(self, filename: str) -> bytes | None:
        """The copy in object storage, once it is there."""
        if self.bucket is None:
            found = next((self.installation.folder / "data" / "storage" / "exports").rglob(filename), None)
            return found.read_bytes() if found else None
        copies = self.bucket.objects.filter(Prefix="site/exports/")
        key = next((copy for copy in copies if copy.key.endswith(filename)), None)
        return key.get()["Body"].read() if key else None

    def connect(self) -> str:
        """A default connection into the dropzone, tested; its id."""
        body = {"name": "ERP", "connector_type": "DROPZONE_JSON_V1", "is_default": True, "config": self.config}
        connection = self.installation.post("erp-connections/", body)
        result = self.installation.post(f"erp-connections/{connection['id']}/test/")
        assert result["success"], result
        return str(connection["id"])


@pytest.fixture
def one_machine(tmp_path: Path) -> Iterator[Site]:
    """SQLite, the embedded broker, a folder as dropzone, copies in a folder."""
    dropzone = _dropzone(tmp_path / "dropzones" / "acme")
    config = {"mode": "filesystem", "export_path": "in", "ack_path": "acks"}
    with installed(tmp_path / "site", {"DROPZONE_ROOT": str(tmp_path / "dropzones")}) as installation:
        yield Site(installation=installation, dropzone=dropzone, config=config)


@pytest.fixture
def many_machines(tmp_path: Path) -> Iterator[Site]:
    """PostgreSQL, Redis, OpenSSH as dropzone, copies in S3."""
    with ExitStack() as servers:
        sshd = servers.enter_context(openssh_server(tmp_path / "sshd"))
        s3 = ThreadedMotoServer(port=free_port(), verbose=False)
        s3.start()
        servers.callback(s3.stop)
        # All servers of one process share their buckets.
        bucket = f"orderflow-{uuid.uuid4().hex[:8]}"
        endpoint = f"http://127.0.0.1:{s3.get_host_and_port()[1]}"
        settings = {
            "DATABASE_URL": servers.enter_context(postgres()),
            "REDIS_URL": servers.enter_context(redis()),
            "STORAGE_URL": f"s3://{bucket}/site",
            "S3_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }
        yield Site(
            installation=servers.enter_context(installed(tmp_path / "site", settings)),
            dropzone=_dropzone(sshd.root),
            bucket=_new_bucket(endpoint, bucket),
            config={
                "mode": "sftp",
                "host": sshd.host,
                "port": sshd.port,
                "username": sshd.username,
                "private_key": sshd.private_key,
                "host_key": sshd.host_key,
                "export_path": "in",
                "ack_path": "acks",
                "timeout_s": 5,
            },
        )


@pytest.fixture(params=["one_machine", "many_machines"])
def site(request: pytest.FixtureRequest) -> Site:
    site: Site = request.getfixturevalue(request.param)
    return site


def _dropzone(folder: Path) -> Path:
    for name in ("in", "acks"):
        (folder / name).mkdir(parents=True)
    return folder


def _new_bucket(endpoint: str, name: str) -> Any:
    s3 = boto3.resource(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    return s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
