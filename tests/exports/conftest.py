from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.models import ERPConnection
from exports import delivery, push_service
from exports.models import ERPExport
from exports.push_service import PushRequest
from orderflow.orders.models import DraftOrder
from tests.conftest import MakeOrder

Push = Callable[..., ERPExport]


@pytest.fixture
def push(make_order: MakeOrder, connection: ERPConnection) -> Push:
    def push(order: DraftOrder | None = None, **fields: object) -> ERPExport:
        request = PushRequest(order=order or make_order(), actor="ops", connection=connection, **fields)  # type: ignore[arg-type]
        return push_service.push(request)

    return push


@pytest.fixture
def sent(push: Push, connection: ERPConnection) -> ERPExport:
    """An export that lies in the dropzone."""
    export = push()
    delivery.drain(connection.pk)
    export.refresh_from_db()
    assert export.status == "SENT"
    return export


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
