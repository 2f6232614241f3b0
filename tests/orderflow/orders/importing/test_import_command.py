import subprocess
import sys
from pathlib import Path

import pytest

from orderflow.orders.importing import importer
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry, Organization
from tests.orderflow.orders.importing.conftest import SAMPLE, Northwind, Orders, order
from tests.support.product.imports import Outcome

ROOT = Path(__file__).parents[4]


@pytest.mark.usefixtures("organization")
def test_the_sample_is_imported_whole_and_ready() -> None:
    outcome = Outcome(SAMPLE, "--user", "ingrid")
    assert outcome.code == 0
    assert outcome.counts == {
        "Imported": 200,
        "Ready": 200,
        "Needs review": 0,
        "Already there": 0,
        "Updated": 0,
        "Differing": 0,
        "Bad rows": 0,
    }
    assert DraftOrder.objects.filter(status=OrderStatus.READY, created_by="ingrid").count() == 200
    assert (DraftOrderLine.objects.count(), Customer.objects.count()) == (531, 73)
    assert Customer.objects.get(erp_customer_number="TOMSP").name == "Toms Spezialit\u00e4ten"


@pytest.mark.usefixtures("organization")
def test_a_second_run_changes_nothing() -> None:
    Outcome(SAMPLE)
    before = list(DraftOrder.objects.order_by("pk").values())
    again = Outcome(SAMPLE)
    assert (again.code, again.counts["Imported"], again.counts["Already there"]) == (0, 0, 200)
    assert list(DraftOrder.objects.order_by("pk").values()) == before
    assert DraftOrderLine.objects.count() == 531


@pytest.mark.usefixtures("organization")
def test_a_bad_row_is_told_and_the_good_orders_are_in(northwind: Northwind) -> None:
    outcome = Outcome(northwind(("orders.csv", "1996-07-05", "yesterday")))
    assert outcome.code == 1
    assert "orders.csv, line 3: order_date 'yesterday' is not a date such as 1996-07-04." in outcome.err
    assert outcome.message.startswith("1 row was bad; their orders were left out.")
    assert (outcome.counts["Imported"], outcome.counts["Bad rows"]) == (1, 1)
    assert DraftOrder.objects.get().external_order_number == "PO-10248"


@pytest.mark.usefixtures("organization")
def test_what_was_mended_comes_in_with_the_next_run(northwind: Northwind) -> None:
    Outcome(northwind(("orders.csv", "1996-07-05", "yesterday")))
    outcome = Outcome(northwind())
    assert (outcome.code, outcome.counts["Imported"], outcome.counts["Already there"]) == (0, 1, 1)


@pytest.mark.usefixtures("organization")
def test_the_summary_comes_as_json_too(orders_file: Orders) -> None:
    path = orders_file(order(), order(external_order_number="PO-2", currency=""), order(currency="€"))
    outcome = Outcome(path, "--json")
    assert outcome.code == 1
    assert outcome.json == {
        "imported": 2,
        "ready": 1,
        "needs_review": 1,
        "already_there": 0,
        "updated": 0,
        "differing": 0,
        "bad_rows": 1,
        "bad": [{"file": "orders.json", "line": 4, "reason": "currency '€' is not three capital letters such as EUR."}],
        "differences": [],
        "remarks": [],
        "dry_run": False,
    }


def test_a_run_leaves_one_line_in_the_audit(organization: Organization, orders_file: Orders) -> None:
    Outcome(orders_file(order(), order()), "--user", "ingrid")
    entry = AuditEntry.objects.get()
    assert (entry.organization, entry.actor, entry.action) == (organization, "ingrid", "import orders")
    assert (entry.subject_type, entry.subject_id) == ("organization", str(organization.pk))
    assert entry.detail == {
        "source": "orders.json",
        "imported": "1",
        "already_there": "0",
        "updated": "0",
        "differing": "0",
        "bad": "1",
    }


@pytest.mark.usefixtures("db")
def test_a_dry_run_says_what_would_be_and_keeps_nothing(northwind: Northwind) -> None:
    folder = northwind(("order_details.csv", "18.60,9,", "18.60,nine,"))
    outcome = Outcome(folder, "--create-organization", "Acme GmbH", "--dry-run", "--json")
    assert outcome.code == 1
    assert (outcome.json["imported"], outcome.json["bad_rows"], outcome.json["dry_run"]) == (1, 1, True)
    for model in (Organization, Customer, DraftOrder, DraftOrderLine, AuditEntry):
        assert not model.objects.exists()


@pytest.mark.usefixtures("organization")
def test_progress_is_told_in_plain_lines_where_there_is_no_terminal(
    northwind: Northwind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BATCH_SIZE", 1)
    outcome = Outcome(northwind())
    assert outcome.err.splitlines() == ["1 of 2 orders", "2 of 2 orders"]
    assert outcome.counts["Imported"] == 2


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(("arguments", "name"), [(["Acme GmbH"], "Acme GmbH"), ([], "acme")])
def test_an_organization_is_made_on_request(northwind: Northwind, arguments: list[str], name: str) -> None:
    assert Outcome(northwind(), "--create-organization", *arguments).code == 0
    assert Organization.objects.get(slug="acme").name == name


def test_an_organization_that_is_there_keeps_its_name(organization: Organization, northwind: Northwind) -> None:
    assert Outcome(northwind(), "--create-organization", "Another").code == 0
    assert Organization.objects.get().name == organization.name


@pytest.mark.usefixtures("db")
def test_an_unknown_organization_is_refused(northwind: Northwind) -> None:
    outcome = Outcome(northwind())
    assert outcome.code == 2
    assert outcome.message == ("There is no organization 'acme'. Check the slug, or add --create-organization NAME.")


@pytest.mark.usefixtures("db")
def test_a_slug_that_cannot_be_is_refused_by_field(northwind: Northwind) -> None:
    outcome = Outcome(northwind(), "--organization", "Acme GmbH", "--create-organization")
    assert (outcome.code, Organization.objects.count()) == (2, 0)
    assert "slug: Lower-case letters, digits and single hyphens." in outcome.message


@pytest.mark.usefixtures("db")
def test_an_unusable_path_makes_no_organization(tmp_path: Path) -> None:
    outcome = Outcome(tmp_path / "nothing", "--create-organization")
    assert (outcome.code, Organization.objects.count()) == (2, 0)
    assert "does not exist" in outcome.message


def test_the_process_ends_with_2_and_one_sentence_where_the_path_is_unusable(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "import_orders", str(tmp_path), "--organization", "acme"]
    ended = subprocess.run(
        [*command, "--settings", "tests.settings"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        f"CommandError: {tmp_path} has no customers.csv, products.csv, orders.csv, order_details.csv. "
        "A Northwind folder holds customers.csv, products.csv, orders.csv, order_details.csv.\n"
    )
