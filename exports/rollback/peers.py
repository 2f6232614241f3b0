"""The journals that other databases keep in the same places."""

import logging
from uuid import UUID

from exports.models.installation import Installation
from exports.rollback import journal_storage
from orderflow.tenancy.models import Organization

logger = logging.getLogger(__name__)


def of_others(row: Installation) -> list[str]:
    """The folders of journals that another database wrote about organizations of this one."""
    archived = journal_storage.outcome(journal_storage.ask_archive(journal_storage.journals))
    found = _local_journals() | (archived or {})
    found.pop(row.uuid.hex, None)
    return sorted(name for name, ids in found.items() if Organization.objects.filter(pk__in=ids).exists())


def _local_journals() -> dict[str, set[UUID]]:
    try:
        return journal_storage.journals(journal_storage.local())
    except OSError as error:
        logger.warning("The local journal cannot be read: %s", error)
        return {}
