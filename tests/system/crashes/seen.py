"""What the database and the storage hold of a scene, for the process that judges and asks neither."""

from collections import Counter

from exports.models import AckFile, ERPExport
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry
from tests.system.crashes.jobs import orders_of
from tests.system.crashes.scene import AnswerSeen, OrderSeen, Scene, Seen


def look(scene: Scene) -> Seen:
    answers = AckFile.objects.filter(organization__slug=scene.slug).order_by("name", "pk")
    return Seen(
        orders=tuple(_order(scene, order) for order in orders_of(scene)),
        answers=tuple(AnswerSeen(name=row.name, verdict=row.verdict, left_because=row.left_because) for row in answers),
    )


def _order(scene: Scene, order: DraftOrder) -> OrderSeen:
    pushes = AuditEntry.objects.filter(subject_id=str(order.pk), action="push").count()
    exports = list(ERPExport.objects.filter(draft_order=order).order_by("created_at"))
    if not exports:
        return OrderSeen(number=order.external_order_number, status=order.status, pushes=pushes)
    export = exports[-1]
    return OrderSeen(
        number=order.external_order_number,
        status=order.status,
        export=export.status,
        filename=export.filename,
        journaled=bool(export.staged_path),
        staged=export.staged_path.rpartition("/")[2],
        exports=len(exports),
        pushes=pushes,
        events=Counter(export.events.values_list("kind", flat=True)),
        sha256=export.document_sha256,
        error=export.error_message,
        copy=(scene.storage / export.storage_key).read_bytes() if export.storage_key else None,
    )
