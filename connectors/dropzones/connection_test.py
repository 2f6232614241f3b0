"""The connection test: what a delivery does, under the names that a delivery uses.

A server may permit certain names only, so a test under other names says nothing of a delivery, in either direction. The
file bears the final name for as long as two requests take, and can be told from an order: its order id is all zeros,
and its content says in words what it is. An ERP that collects it all the same has shown that it collects: the test
passes and says so, and an acknowledgement of the file is counted by the poll and opens no incident. The test needs no
right that a delivery does not need: where the user may not delete, the file is renamed back to its temporary name,
which no ERP takes, and stays there.
"""

import posixpath
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID, uuid4

from connectors.documents.naming import NO_ORDER
from connectors.dropzones.backends.base import Dropzone, Move, OutgoingFile
from connectors.dropzones.errors import is_refusal, suggest_direct
from connectors.dropzones.outages import as_met, folders_may_return
from connectors.dropzones.settings import DropzoneSettings
from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    InDoubtError,
    LoginRefusedError,
    TransientError,
    UnknownHostKeyError,
)
from connectors.ports import ExportAttempt, TestResult, TestStep
from connectors.types.test_results import Steps

CONTENT = b"OrderFlow tests this connection. This is no order; the file is removed at once.\n"
COLLECTED = (
    "The ERP collected the test file. It may report it as an order that it cannot read; OrderFlow recognises an "
    "acknowledgement of it by the order id, which is all zeros."
)

DocumentName = Callable[[UUID, ExportAttempt], str]


def try_dropzone(
    read_settings: Callable[[], DropzoneSettings],
    document_name: DocumentName,
    *,
    on_step: Callable[[TestStep], None] | None = None,
) -> TestResult:
    """`document_name` is the connector's."""
    steps, started = Steps(on_step), monotonic()
    error: ConnectorError | None = None
    try:
        settings = read_settings()
        with ExitStack() as stack:
            with folders_may_return(worked=settings.worked):
                dropzone = stack.enter_context(settings.connect(steps))
            attempt = ExportAttempt(export_id=uuid4(), created_at=datetime.now(UTC))
            _Trial(dropzone, settings, steps, document_name(NO_ORDER, attempt)).run()
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


class _Trial:
    def __init__(self, dropzone: Dropzone, settings: DropzoneSettings, steps: Steps, name: str) -> None:
        self._dropzone = dropzone
        self._settings = settings
        self._steps = steps
        temporary = settings.temporary_name(name, settings.fence.next_mark())
        self._temporary = posixpath.join(settings.export_path, temporary)
        self._final = posixpath.join(settings.export_path, name)
        # What may lie there.
        self._left: list[str] = []

    def run(self) -> None:
        """Raises `ConnectorError`, and leaves no file that an ERP could take."""
        try:
            if self._settings.atomic_write:
                self._stage_and_publish()
            else:
                self._write_directly()
        except ConnectorError as error:
            raise self._cleaned_up(error) from error

    def _stage_and_publish(self) -> None:
        with self._steps.step("write") as step:
            step.detail = self._temporary
            self._write(self._temporary)
        with self._steps.step("rename") as step:
            step.detail = self._final
            self._rename(self._temporary, self._final)
        with self._steps.step("delete") as step:
            is_gone, error = self._is_collected(), self._removed(self._final)
            if isinstance(error, TransientError):
                raise error
            if error:
                step.detail = self._taken_back()
            elif is_gone:
                step.detail = COLLECTED

    def _write_directly(self) -> None:
        """First under the temporary name: what cannot be deleted must not come to lie under the final one."""
        with self._steps.step("write") as step:
            try:
                self._write(self._temporary)
            except TransientError:
                raise
            except ConnectorError:
                # Only the final names may be permitted here.
                self._left = []
            else:
                error = self._removed(self._temporary)
                if isinstance(error, TransientError):
                    raise error
                if error:
                    step.detail = self._stays()
                    return
            step.detail = self._final
            self._write(self._final)
        with self._steps.step("delete") as step:
            is_gone, error = self._is_collected(), self._removed(self._final)
            if error and not (is_gone and isinstance(error, ConfigError)):
                raise error
            if is_gone:
                step.detail = COLLECTED

    def _write(self, path: str) -> None:
        self._left = [path]
        (error,) = self._dropzone.write([OutgoingFile(path=path, content=CONTENT)])
        if error:
            raise as_met(error, worked=self._settings.worked)

    def _rename(self, source: str, target: str) -> None:
        (error,) = self._dropzone.rename([Move(source=source, target=target)])
        if isinstance(error, InDoubtError):
            self._left = [source, target]
        if error:
            raise suggest_direct(error) if is_refusal(error) else error
        self._left = [target]

    def _is_collected(self) -> bool:
        """Whether the file is gone from its final name, by a look: where looking is not permitted, or a server says of
        every file that it is not there, it may still be there."""
        (found,) = self._dropzone.stat([self._final])
        if found is None:
            self._left = []
        return found is None

    def _taken_back(self) -> str:
        """What became of a file that may not be deleted."""
        try:
            self._rename(self._final, self._temporary)
        except ConnectorError:
            if self._is_collected():
                return COLLECTED
            raise
        return self._stays()

    def _removed(self, path: str) -> ConnectorError | None:
        (error,) = self._dropzone.remove([path])
        self._left = [path] if error else []
        return error

    def _stays(self) -> str:
        self._left = []
        return f"The user may not delete, which a delivery does not need. {self._temporary} stays; remove it by hand."

    def _cleaned_up(self, error: ConnectorError) -> ConnectorError:
        """The error, with what may still lie there."""
        left = self._left
        with suppress(ConnectorError):
            left = _still_there(self._dropzone, left)
        if left:
            # The session may be what was lost.
            with suppress(ConnectorError), self._settings.connect() as again:
                left = _still_there(again, left)
        if self._final not in left:
            return error
        text = f"{error} {self._final} may lie there: remove it before the ERP takes it."
        return TransientError(text) if isinstance(error, TransientError) else ConfigError(text)


def _still_there(dropzone: Dropzone, paths: Sequence[str]) -> list[str]:
    return [path for path, error in zip(paths, dropzone.remove(paths), strict=True) if error]
