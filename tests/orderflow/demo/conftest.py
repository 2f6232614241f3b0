import io
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest

from orderflow.demo.erp.server import HOST, USERNAME, Access, running_erp


@pytest.fixture
def erp(tmp_path: Path) -> Iterator[Access]:
    """Its folder is `tmp_path`."""
    with running_erp(tmp_path) as access:
        yield access


@contextmanager
def sftp_client(access: Access, *, username: str = USERNAME) -> Iterator[paramiko.SFTPClient]:
    kind, key = access.host_key.split()
    with paramiko.Transport((HOST, access.port)) as transport:
        transport.connect(
            hostkey=paramiko.PKey.from_type_string(kind, b64decode(key)),
            username=username,
            pkey=paramiko.Ed25519Key.from_private_key(io.StringIO(access.private_key)),
        )
        sftp = paramiko.SFTPClient.from_transport(transport)
        assert sftp is not None
        with sftp:
            yield sftp
