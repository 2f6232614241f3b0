"""What PostgreSQL reads to compare incidents and to show the dashboard: what is open, and not the past."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import connection as database
from django.utils import timezone

from connectors.models import ERPConnection
from exports.incidents import detector, items
from exports.incidents.models import Incident
from exports.models import AckFile, ERPExport
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from tests.support import rows
from tests.support.exports.query_plans import costliest
from tests.support.tenants import log_in, log_in_superuser

pytestmark = [
    pytest.mark.skipif(database.vendor != "postgresql", reason="`make test-postgres` asks PostgreSQL"),
    pytest.mark.django_db(transaction=True),
]

PAST, OPEN = 20_000, 20
# By one query: what is open with what belongs to it, and never the past.
LOOKED_AT = 1_500


@pytest.fixture
def grown(organization: Organization) -> Organization:
    """Twenty thousand orders, of which every other one failed once and was rejected or sent again, and whose acks had
    to be resolved; the same of twenty is open."""
    way = ERPConnection.objects.create(organization=organization, name="A", connector_type="DROPZONE_JSON_V1")
    rows.add_customers([way])
    rows.add_exports([way], PAST, ExportStatus.ACKED, lines=1)
    past = timezone.now() - timedelta(days=30)
    ids = list(ERPExport.objects.order_by("created_at").values_list("pk", flat=True)[: PAST // 2])
    failed = ERPExport.objects.filter(pk__any_of=ids)
    failed.update(status=ExportStatus.FAILED, cause=Cause.ERP_REFUSED, settled_at=past, created_at=past)
    acks = AckFile.objects.filter(export__pk__any_of=ids)
    acks.update(verdict="CONFLICT", resolved_at=past, seen_at=past)
    still = ids[:OPEN]
    DraftOrder.objects.filter(exports__pk__any_of=still).update(status=OrderStatus.ERROR)
    AckFile.objects.filter(export__pk__any_of=still).update(resolved_at=None)
    for number in range(2_000):
        Incident.objects.create(
            organization=organization, connection=way, kind=Incident.Kind.PAUSED, subject=str(number), opened_at=past,
            closed_at=past, notified_at=past, closing_notified_at=past,
        )  # fmt: skip
    rows.tidy_up()
    return organization


def test_the_dashboard_reads_what_is_open(grown: Organization) -> None:
    detector.compare()
    rows.tidy_up()
    for person in (log_in(grown), log_in_superuser()):
        page = person.get("/admin/").content.decode()
        assert f"&times; {OPEN}" in page
        assert f"{OPEN} conflicting acknowledgements" in page
        # The bars are of the last 24 hours, and the times of the newest thousand.
        cost, query = costliest(partial(person.get, "/admin/"), but="created_at")
        assert cost <= LOOKED_AT, query


def test_comparing_reads_what_is_open(grown: Organization) -> None:
    detector.compare()
    assert {incident.kind for incident in Incident.objects.filter(closed_at=None)} == {"FAILING", "ACKS"}
    rows.tidy_up()

    def work() -> None:
        detector.compare()
        for incident in Incident.objects.filter(closed_at=None):
            assert len(items.untold(incident).keys) == OPEN

    cost, query = costliest(work)
    assert cost <= LOOKED_AT, query
