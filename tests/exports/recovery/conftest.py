import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from connectors.models import ERPConnection
from exports.rollback import guard, journal_storage
from tests.conftest import MakeOrder
from tests.exports.recovery.backups import Backup
from tests.exports.recovery.erp import ERP
from tests.exports.recovery.scene import Scene
from tests.servers.ports import free_port

KEYS = {"access_key": "test", "secret_key": "test", "region_name": "us-east-1"}


@pytest.fixture(autouse=True)
def a_new_process() -> None:
    """As far as the guard is concerned."""
    guard._checked.clear()
    journal_storage._process = None


@pytest.fixture
def backup(tmp_path: Path, transactional_db: None) -> Iterator[Backup]:
    backup = Backup(tmp_path)
    yield backup
    backup.drop()


@pytest.fixture
def s3(dropzone_root: Path, settings: Any) -> Iterator[ThreadedMotoServer]:
    """The archive in S3, which a test may stop."""
    server = ThreadedMotoServer(port=free_port(), verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    bucket = f"orderflow-{uuid.uuid4().hex[:8]}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket=bucket)
    options = {"bucket_name": bucket, "location": "site", "endpoint_url": endpoint, "file_overwrite": True, **KEYS}
    settings.STORAGES = {
        **settings.STORAGES,
        "exports": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options},
    }
    yield server
    server.stop()


@pytest.fixture
def scene(connection: ERPConnection, folder: Path, backup: Backup, make_order: MakeOrder, tmp_path: Path) -> Scene:
    """Archive in a folder, an ERP that leaves the files where they lie."""
    # As the migration does; the tests before may have emptied the tables.
    guard.installation_row()
    erp = ERP(place=folder, is_fast=False)
    return Scene(connection=connection, backup=backup, erp=erp, make_order=make_order, folder=tmp_path)
