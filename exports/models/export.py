import uuid
from collections.abc import Iterable

from django.db import models

from connectors.models import ERPConnection
from exports.models.failure_cause import Cause
from exports.models.status import ALLOWED, LIVE, ExportStatus
from orderflow.db.state_machine import StateQuerySet
from orderflow.fields.identifier_field import IdentifierField
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization


class ERPExportQuerySet(StateQuerySet["ERPExport"]):
    transitions = ALLOWED

    def locked(self, ids: Iterable[uuid.UUID]) -> "models.QuerySet[ERPExport]":
        """Nobody else moves them until the transaction ends; in one order for all, so that two batches never wait for
        each other in a circle. SQLite has one writer at a time anyway."""
        return self.select_for_update(of=("self",), no_key=True).filter(pk__any_of=ids).order_by("pk")


class ERPExport(models.Model):
    """One attempt to bring one draft order over one connection."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The indexes and constraints below begin with these three.
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    draft_order = models.ForeignKey(DraftOrder, on_delete=models.PROTECT, related_name="exports", db_index=False)
    connection = models.ForeignKey(ERPConnection, on_delete=models.PROTECT, related_name="exports", db_index=False)
    supersedes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="superseded_by")
    status = models.CharField(max_length=8, choices=ExportStatus, default=ExportStatus.PENDING)
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001 - NULL: pushed without a key
    request_hash = models.CharField(max_length=64, blank=True)
    requested_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()

    filename = models.CharField(max_length=120)
    # Set before the file may appear under its final name: what the next try has to look for.
    staged_path = models.CharField(max_length=1024, blank=True)
    document_sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    document_size = models.PositiveBigIntegerField("bytes", null=True)
    dropzone_path = models.CharField(max_length=1024, blank=True)
    storage_key = models.CharField(max_length=255, blank=True)

    tries = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    # Of a PENDING one that may have arrived: it is never sent again, and a person decides what became of it.
    undecided_since = models.DateTimeField(null=True)
    # Since when a file of it may lie at the dropzone that no journal entry names: it was written under its final name.
    unwitnessed_since = models.DateTimeField(null=True)
    # While a connector without a journal has it; still set when the connector's worker died.
    handed_over_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    answer_due_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    erp_order_id = IdentifierField("ERP order id", max_length=120, blank=True)
    # Of a FAILED one: what those of one cause are grouped by, where the ERP gave one together with its `error_code`.
    cause = models.CharField(max_length=12, choices=Cause, blank=True, default="", db_default="")
    error_code = IdentifierField(max_length=60, blank=True)
    error_message = models.CharField(max_length=500, blank=True)

    objects = ERPExportQuerySet.as_manager()

    class Meta:
        verbose_name = "export"
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["draft_order"], condition=models.Q(status__in=LIVE), name="one_live_export_per_order"
            ),
            models.UniqueConstraint(fields=["draft_order", "idempotency_key"], name="one_export_per_key"),
            models.UniqueConstraint(fields=["connection", "filename"], name="export_filename_once"),
            models.CheckConstraint(
                condition=models.Q(undecided_since=None) | models.Q(status=ExportStatus.PENDING),
                name="undecided_while_pending",
            ),
        ]
        indexes = [
            models.Index(
                fields=["connection", "created_at"],
                condition=models.Q(status=ExportStatus.PENDING),
                name="export_pending",
            ),
            models.Index(
                fields=["connection", "answer_due_at"],
                condition=models.Q(status=ExportStatus.SENT),
                name="export_awaiting_answer",
            ),
            models.Index(
                fields=["sent_at"],
                condition=models.Q(storage_key="", sent_at__isnull=False),
                name="export_without_copy",
            ),
            models.Index(fields=["-created_at"], name="export_newest"),
            models.Index(fields=["organization", "-created_at"], name="export_by_organization"),
            models.Index(fields=["connection", "-created_at"], name="export_by_connection"),
            # Most are ACKED in the end; to find one of those, the newest of the organization are looked through.
            models.Index(
                fields=["status", "organization", "-created_at"],
                condition=models.Q(status__in=[ExportStatus.PENDING, ExportStatus.SENT, ExportStatus.FAILED]),
                name="export_not_acked",
            ),
            models.Index(
                fields=["settled_at", "organization"],
                condition=models.Q(status=ExportStatus.FAILED),
                name="export_failed",
            ),
            models.Index(
                fields=["organization", "undecided_since"],
                condition=models.Q(undecided_since__isnull=False),
                name="export_undecided",
            ),
            models.Index(
                fields=["connection"], condition=models.Q(handed_over_at__isnull=False), name="export_handed_over"
            ),
            models.Index(fields=["erp_order_id"], condition=~models.Q(erp_order_id=""), name="export_by_erp_order"),
        ]

    def __str__(self) -> str:
        return self.filename
