"""The acks of connectors that drop files: which files of the ack folder they are, and what else lies there."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from connectors.base_connector import BaseConnector
from connectors.dropzones.acks.inbox import DropzoneAckInbox
from connectors.dropzones.acks.other_files import OtherFiles, document_in, own_names
from connectors.dropzones.settings import DropzoneSettings
from connectors.ports import Ack, AckInbox


class DropzoneAcks(BaseConnector):
    """The half of a `DropzoneConnector` that reads."""

    @abstractmethod
    def settings(self, config: Mapping[str, Any]) -> DropzoneSettings:
        """The dropzone that a config names. Raises `ConfigError`."""

    @abstractmethod
    def answered_export(self, name: str) -> str | None:
        """The file name of the export that a file called `name` would answer; None when it is no answer."""

    @abstractmethod
    def parse_answer(self, name: str, raw: bytes) -> Ack:
        """Raises `RejectedError` saying what is wrong with the file."""

    def is_document_name(self, name: str) -> bool:  # noqa: ARG002 - a connector that does not tell calls nothing its own
        """Whether a file called `name` would be one of this connector's documents, whoever sent it."""
        return False

    def named_export(self, name: str) -> str | None:
        """The file name of the export whose name occurs in `name`, in whatever form; None where none does. Such a file
        is in the ack log even though `answered_export` does not take it."""
        return document_in(name, self.is_document_name)

    def why_not_read(self, name: str, filename: str) -> str:  # noqa: ARG002 - for the subclass
        """Why a file that `named_export` links to the export `filename` is not read, and what to do about it."""
        return "Its name is not in the form of this connector's acknowledgements. Rename it: it is read then."

    def answer_due(self, config: Mapping[str, Any]) -> timedelta | None:
        return self.settings(config).answer_due

    @contextmanager
    def open_inbox(self, config: Mapping[str, Any]) -> Iterator[AckInbox]:
        settings = self.settings(config)
        with settings.open() as dropzone:
            yield DropzoneAckInbox(
                dropzone,
                settings.ack_path,
                export_filename=self.answered_export,
                parse=self.parse_answer,
                others=self._others(settings),
            )

    def _others(self, settings: DropzoneSettings) -> OtherFiles:
        is_shared = settings.ack_path.strip("/") == settings.export_path.strip("/")
        is_own = own_names(self.is_document_name, settings.final_name) if is_shared else _nothing
        return OtherFiles(
            is_document=self.is_document_name,
            named_export=self.named_export,
            why_not_read=self.why_not_read,
            is_own=is_own,
        )


def _nothing(name: str) -> bool:  # noqa: ARG001 - orders are dropped elsewhere
    return False
