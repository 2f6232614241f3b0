"""Who changed orders while a person looked at a page that counts them."""

from datetime import datetime
from itertools import groupby
from uuid import UUID

from orderflow.admin.optimistic_locking.row_version import Changes
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry
from orderflow.tenancy.scope import User, scoped

NAMED = 10


def orders_changed_since(at: datetime, viewer: User) -> str:
    """In words, the newest changes of those that `viewer` may see; empty where the audit has none."""
    entries = AuditEntry.objects.filter(subject_type=DraftOrder._meta.model_name, at__gte=at)
    newest = scoped(entries, viewer).order_by("-id")[:NAMED]
    found = sorted(newest, key=lambda entry: (entry.subject_id, entry.pk))
    orders = DraftOrder.objects.in_bulk({UUID(entry.subject_id) for entry in found})
    return " ".join(
        f"{orders.get(UUID(key), key)}: {Changes(entries=list(group), viewer=viewer.get_username())}"
        for key, group in groupby(found, key=lambda entry: entry.subject_id)
    )
