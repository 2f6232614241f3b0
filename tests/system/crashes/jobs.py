"""What is under way when a process dies: made ready by the process that is to die, and mended for the next one."""

import shutil
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.test.utils import override_settings
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports import ack_poller, push_service
from exports.delivery import drain
from exports.documents import archive
from exports.lanes import leases
from exports.models import ERPExport, Lane
from exports.push_service import PushRequest
from orderflow.orders import approval
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.tenancy.models import Organization
from tests.servers.ports import free_port
from tests.system.crashes import erp
from tests.system.crashes.scene import Scene
from tests.system.crashes.table import Job

ORDERS = 3


def connection_of(scene: Scene) -> ERPConnection:
    return ERPConnection.objects.get(organization__slug=scene.slug, is_default=True)


def orders_of(scene: Scene) -> list[DraftOrder]:
    return list(DraftOrder.objects.filter(organization__slug=scene.slug).order_by("external_order_number"))


def set_up(scene: Scene) -> None:
    organization = Organization.objects.create(name=scene.slug, slug=scene.slug)
    customer = Customer.objects.create(organization=organization, erp_customer_number="TOMSP", name="Toms")
    for number in range(1, ORDERS + 1):
        order = DraftOrder.objects.create(
            organization=organization, customer=customer, external_order_number=f"PO-{number}", currency="EUR"
        )
        DraftOrderLine.objects.create(
            order=order, line_no=1, internal_sku="42", qty=Decimal(number), uom="ST", unit_price=Decimal("9.80")
        )
        approval.approve(approval.recheck(order), "ops")
    config = dict(scene.config) | {"atomic_write": scene.case.row.job != Job.DRAIN_IN_PLACE}
    if scene.case.row.job == Job.DRAIN_NO_SERVER:
        config["port"] = free_port()
    connection_service.save(
        ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1"),
        ConnectionChanges(name="ERP", is_default=True, config=config),
        actor="admin",
    )


def push_all(scene: Scene) -> None:
    """As a client does that repeats what it got no answer to."""
    for order in orders_of(scene):
        push_service.push(PushRequest(order=order, actor="ops", idempotency_key=order.external_order_number))


def prepare(scene: Scene) -> None:
    """Up to where the step may come."""
    job = scene.case.row.job
    if job == Job.PUSH:
        return
    push_all(scene)
    if job == Job.DRAIN_ONE_REFUSED:
        DraftOrderLine.objects.filter(order=orders_of(scene)[0]).update(uom="")
    elif job == Job.DRAIN_NO_FOLDER:
        (scene.dropzone / "in").rmdir()
    elif job == Job.STORE_COPIES:
        deliver(scene)
        shutil.rmtree(scene.storage)
        ERPExport.objects.filter(organization__slug=scene.slug).update(
            storage_key="", sent_at=timezone.now() - timedelta(minutes=2)
        )
    elif job == Job.POLL:
        deliver(scene)
        for path in (scene.dropzone / "in").iterdir():
            path.unlink()
        erp.answer_all(scene.dropzone, filenames(scene))


def deliver(scene: Scene) -> None:
    """Raises when it comes to anything else: the case would be about that then."""
    drain.drain(connection_of(scene).pk)
    if stuck := ERPExport.objects.filter(organization__slug=scene.slug).exclude(status="SENT").first():
        raise RuntimeError(f"{stuck} is {stuck.status}: {stuck.error_message}")


def filenames(scene: Scene) -> Sequence[str]:
    exports = ERPExport.objects.filter(organization__slug=scene.slug).order_by("draft_order__external_order_number")
    return list(exports.values_list("filename", flat=True))


def act(scene: Scene) -> None:
    connection = connection_of(scene)
    match scene.case.row.job:
        case Job.PUSH:
            push_all(scene)
        case Job.STORE_COPIES:
            archive.store_missing()
        case Job.POLL:
            ack_poller.poll(connection.pk)
        case Job.DRAIN_IN_LINE:
            # Longer than a loaded machine may hold this process up: the lease of a scene would end meanwhile.
            with override_settings(LEASE_S=30), leases.holding(_neighbour_of(connection).pk, Lane.Kind.DELIVERY):
                drain.drain(connection.pk)
        case _:
            drain.drain(connection.pk)


def _neighbour_of(connection: ERPConnection) -> ERPConnection:
    row = ERPConnection(organization=connection.organization, connector_type=connection.connector_type)
    changes = ConnectionChanges(name="Neighbour", config={"mode": "filesystem", "export_path": "in"})
    return connection_service.save(row, changes, actor="admin")


def damage(scene: Scene) -> None:
    """What a power cut may do to files at the dropzone."""
    for path in (scene.dropzone / "in").glob("*.tmp"):
        path.write_bytes(path.read_bytes()[:10])


def mend(scene: Scene) -> None:
    """What a person does, or the caller of a push that never answered."""
    connection = connection_of(scene)
    match scene.case.row.job:
        case Job.PUSH:
            push_all(scene)
        case Job.DRAIN_NO_FOLDER:
            (scene.dropzone / "in").mkdir()
            connection_service.test(connection, actor="admin")
        case Job.DRAIN_NO_SERVER:
            changes = ConnectionChanges(config=scene.config)
            connection_service.save(connection, changes, actor="admin")
