"""The connection test: everything that a delivery does, with a file that no ERP takes for an order."""

import posixpath
from collections.abc import Callable
from time import monotonic
from uuid import uuid4

from connectors.dropzones.base import Dropzone, Move, OutgoingFile
from connectors.dropzones.config import DropzoneSettings
from connectors.exceptions import ConnectorError, LoginRefusedError, UnknownHostKeyError
from connectors.ports import TestResult, TestStep
from connectors.steps import Steps

CONTENT = b"OrderFlow tests this connection. The file is removed at once.\n"


def try_dropzone(
    read_settings: Callable[[], DropzoneSettings], *, on_step: Callable[[TestStep], None] | None = None
) -> TestResult:
    steps, started = Steps(on_step), monotonic()
    error: ConnectorError | None = None
    try:
        settings = read_settings()
        with settings.connect(steps) as dropzone:
            _try_delivery(dropzone, settings, steps)
            if settings.ack_path:
                with steps.step("list answers") as step:
                    step.detail = f"{sum(1 for _ in dropzone.list(settings.ack_path))} entries"
    except ConnectorError as failure:
        error = failure
    return TestResult(
        success=error is None,
        error_message=str(error) if error else None,
        latency_ms=round((monotonic() - started) * 1000),
        steps=steps.ended,
        host_key=error.host_key if isinstance(error, UnknownHostKeyError) else None,
        login_refused=isinstance(error, LoginRefusedError),
    )


def _try_delivery(dropzone: Dropzone, settings: DropzoneSettings, steps: Steps) -> None:
    final = posixpath.join(settings.export_path, f".orderflow_test_{uuid4().hex[:8]}")
    temporary = f"{final}.tmp" if settings.atomic_write else final
    with steps.step("write") as step:
        step.detail = temporary
        _check(dropzone.write([OutgoingFile(path=temporary, content=CONTENT)]))
    try:
        if settings.atomic_write:
            with steps.step("rename"):
                _check(dropzone.rename([Move(source=temporary, target=final)]))
    except ConnectorError:
        dropzone.remove([temporary])
        raise
    with steps.step("delete"):
        _check(dropzone.remove([final]))


def _check(outcomes: list[ConnectorError | None]) -> None:
    for error in outcomes:
        if error:
            raise error
