"""The states of an export and the only ways between them."""

from django.db import models


class ExportStatus(models.TextChoices):
    PENDING = "PENDING", "Pending"
    SENT = "SENT", "Sent"
    ACKED = "ACKED", "Acknowledged"
    FAILED = "FAILED", "Failed"


S = ExportStatus

ALLOWED: dict[ExportStatus, frozenset[ExportStatus]] = {
    # An answer may overtake the record of sending.
    S.PENDING: frozenset({S.SENT, S.ACKED, S.FAILED}),
    S.SENT: frozenset({S.ACKED, S.FAILED}),
    # A person decides so, where the ERP's files contradict each other.
    S.ACKED: frozenset({S.FAILED}),
    S.FAILED: frozenset({S.ACKED}),
}

LIVE = (S.PENDING, S.SENT)


class PushRefused(Exception):
    """`code` is stable: not_approved, already_pushed, no_connection, connection_disabled, unknown_connection,
    idempotency_key_reused, still_running, still_alive, not_failed, not_sent, not_undecided, not_withdrawable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
