from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from connectors.models import ERPConnection
from exports.delivery import drain
from exports.models import ERPExport
from tests.exports.conftest import Push


@pytest.fixture
def place(connection: ERPConnection, folder: Path) -> Path:
    """Where the connection's folders are."""
    return folder


@pytest.fixture
def sent(push: Push, connection: ERPConnection, place: Path) -> ERPExport:
    export = push()
    drain.drain(connection.pk)
    # Old enough for its copy to have to be there.
    ERPExport.objects.filter(pk=export.pk).update(sent_at=timezone.now() - timedelta(minutes=5))
    export.refresh_from_db()
    assert export.status == "SENT"
    return export
