from django.db import models

from connectors.models import ERPConnection


class Lane(models.Model):
    """Who works for a connection just now: one holder at a time, by a lease that the database clock ends."""

    class Kind(models.TextChoices):
        DELIVERY = "DELIVERY", "Delivery"
        ACKS = "ACKS", "Acknowledgements"
        TIDYING = "TIDYING", "Tidying up"

    connection = models.ForeignKey(ERPConnection, on_delete=models.CASCADE, related_name="lanes")
    kind = models.CharField(max_length=8, choices=Kind)
    # The fencing token: a holder whose token is no longer here has lost the lane.
    token = models.PositiveBigIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    # Since when a wake-up is on its way that no holder has seen yet.
    awake_since = models.DateTimeField(null=True)
    # A wake-up came while the lane was held: the holder sends it again.
    wake_missed = models.BooleanField(default=False)
    # It was refused a place among those that are worked on, and gets its turn when one is free.
    waiting_since = models.DateTimeField(null=True)
    # Its server has yet to answer, or did not the last time: it might keep a worker until the deadline.
    suspect = models.BooleanField(default=True)
    last_run_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    # So many entries of the ERP's folder the last poll passed and left there before its time was up.
    passed = models.PositiveIntegerField(default=0)
    # Of a lane of acknowledgements: what the last poll that saw the whole folder counted there (`FolderAccount`).
    folder = models.JSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "kind"], name="lane_once")]
        indexes = [
            models.Index(
                fields=["leased_until"], condition=models.Q(leased_until__isnull=False), name="lane_worked_on"
            ),
            models.Index(
                fields=["kind", "waiting_since"], condition=models.Q(waiting_since__isnull=False), name="lane_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.connection}"
