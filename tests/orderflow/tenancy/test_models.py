from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from orderflow.db.append_only import HistoryIsFixed
from orderflow.tenancy.audit import record
from orderflow.tenancy.models import AuditEntry, Organization


@pytest.fixture
def entry(acme: Organization) -> AuditEntry:
    record(acme.pk, "olga", "rename", acme, field="name")
    return AuditEntry.objects.get()


def test_an_audit_entry_says_who_did_what_to_which_row(entry: AuditEntry, acme: Organization) -> None:
    assert (entry.organization, entry.actor, entry.action) == (acme, "olga", "rename")
    assert (entry.subject_type, entry.subject_id) == ("organization", str(acme.pk))
    assert entry.detail == {"field": "name"}


def _save(entry: AuditEntry) -> None:
    entry.actor = "mallory"
    entry.save()


def _save_another_in_its_place(entry: AuditEntry) -> None:
    AuditEntry(pk=entry.pk, organization=entry.organization, actor="mallory", at=entry.at).save()


REWRITES: dict[str, Callable[[AuditEntry], object]] = {
    "save": _save,
    "save of another with its key": _save_another_in_its_place,
    "delete": lambda entry: entry.delete(),
    "update of many": lambda entry: AuditEntry.objects.filter(pk=entry.pk).update(actor="mallory"),
    "bulk update": lambda entry: AuditEntry.objects.bulk_update([entry], ["actor"]),
    "deletion of many": lambda _entry: AuditEntry.objects.all().delete(),
}


@pytest.mark.parametrize("rewrite", REWRITES.values(), ids=REWRITES.keys())
def test_the_past_is_not_rewritten(entry: AuditEntry, rewrite: Callable[[AuditEntry], object]) -> None:
    """S19."""
    with pytest.raises((HistoryIsFixed, IntegrityError)), transaction.atomic():
        rewrite(entry)
    assert AuditEntry.objects.get(pk=entry.pk).actor == "olga"


def test_an_organization_with_a_past_is_not_deleted(entry: AuditEntry, acme: Organization) -> None:
    """S19."""
    with pytest.raises(ProtectedError):
        acme.delete()
    assert AuditEntry.objects.filter(pk=entry.pk).exists()


@pytest.mark.parametrize("slug", ["acme", "acme-2", "0", "a-b-c"])
def test_a_slug_is_made_of_lower_case_letters_digits_and_single_hyphens(slug: str) -> None:
    Organization(name="Acme", slug=slug).clean_fields()


@pytest.mark.parametrize("slug", ["", "Acme", "a b", "-a", "a-", "a--b", "..", "a/b", "ä", "a" * 61])
def test_another_slug_is_refused(slug: str) -> None:
    """S9."""
    with pytest.raises(ValidationError) as refused:
        Organization(name="Acme", slug=slug).clean_fields()
    assert list(refused.value.message_dict) == ["slug"]
