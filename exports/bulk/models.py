from typing import Any

from django.db import models

from orderflow.db.uuid7 import time_ordered_uuid
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization


class BulkJob(models.Model):
    """Many pushes that somebody asked for at once: a worker does them portion after portion while people watch."""

    class Kind(models.TextChoices):
        PUSH = "PUSH", "Push"
        RETRY = "RETRY", "Retry"

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        RUNNING = "RUNNING", "Running"
        DONE = "DONE", "Done"
        STOPPED = "STOPPED", "Stopped"

    UNDER_WAY = (State.WAITING, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=5, choices=Kind)
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    # The orders that were confirmed, as they are to leave; none any more when it is over. Behind it are the first
    # `position` of them.
    order_ids = models.JSONField(default=list)
    total = models.PositiveIntegerField()
    position = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    # By code, each as in `Refusals`.
    refusals = models.JSONField(default=dict)
    # The fencing token: a worker whose token is no longer here has lost the job.
    token = models.PositiveBigIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)

    class Meta:
        app_label = "exports"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organization", "-id"], name="bulk_by_organization"),
            models.Index(
                fields=["leased_until"], condition=models.Q(state__in=["WAITING", "RUNNING"]), name="bulk_under_way"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.total} orders"

    @property
    def source(self) -> OrderStatus:
        return SOURCES[self.kind]

    @property
    def refused(self) -> int:
        return self.position - self.done

    @property
    def left(self) -> int:
        return self.total - self.position

    @property
    def percent(self) -> int:
        return 100 * self.position // self.total

    @property
    def is_over(self) -> bool:
        return self.state not in self.UNDER_WAY


# What the orders of a job have to be.
SOURCES: dict[Any, OrderStatus] = {BulkJob.Kind.PUSH: OrderStatus.APPROVED, BulkJob.Kind.RETRY: OrderStatus.ERROR}
