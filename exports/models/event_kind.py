"""The kinds of steps that an export takes."""

from django.db import models


class EventKind(models.TextChoices):
    REQUESTED = "REQUESTED", "Push requested"
    STAGED = "STAGED", "Staged"
    SENT = "SENT", "Sent"
    RETRY = "RETRY", "Try failed, another is planned"
    BLOCKED = "BLOCKED", "Connection blocked"
    RELEASED = "RELEASED", "Connection free again, goes now"
    UNDECIDED = "UNDECIDED", "In doubt, a person has to decide"
    DECIDED = "DECIDED", "Decided by a person"
    FAILED = "FAILED", "Failed"
    ACKED = "ACKED", "Acknowledged"
    CONFLICT = "CONFLICT", "Contradicting answer"
    LATE = "LATE", "Late answer"
    GIVEN_UP = "GIVEN_UP", "Given up"
    WITHDRAWN = "WITHDRAWN", "Withdrawn"
    ACKS_LEFT = "ACKS_LEFT", "Acknowledgements read elsewhere"
    RECOVERED = "RECOVERED", "Recovered after the database went back in time"
