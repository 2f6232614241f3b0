"""What sessions have shown of a connection's server, for the sessions after them."""

import logging
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DatabaseError, models
from django.db.models.functions import Now

logger = logging.getLogger(__name__)


class KnownServer(models.Model):
    # Counts edits, so that a delivery under way sees that it works with an old config.
    revision = models.PositiveIntegerField(default=1, editable=False)
    # When its host first resolved, and when its server first let a session in, since its address was last edited.
    resolved_at = models.DateTimeField(null=True, editable=False)
    reached_at = models.DateTimeField(null=True, editable=False)
    # The config field of the credential that a login begins with, since the config was last edited: it was accepted
    # after the other one was refused. Empty, the private key.
    login_first = models.CharField(max_length=11, blank=True, db_default="", editable=False)
    # When orders were first put into its folder, by a delivery or a test, since the server, the user or the folder was
    # edited.
    worked_at = models.DateTimeField(null=True, editable=False)
    # Since when a test or a delivery shows that the config works. Empty after a failed test and an edit of the config.
    works_since = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    def facts(self) -> dict[str, Any]:
        """What is known, as `SFTPTarget` and `DropzoneSettings` take it, and the functions that record what is not
        known yet."""
        # The revision as of now: an edit since then may name another server.
        note = partial(self._note, self.pk, self.revision)
        facts: dict[str, Any] = {
            "resolved": self.resolved_at is not None,
            "reached": self.reached_at is not None,
            "worked": self.worked_at is not None,
            "login_first": self.login_first,
            "on_login": lambda field: note({}, login_first=field),
        }
        for name in ("resolved", "reached"):
            if not facts[name]:
                facts[f"on_{name}"] = partial(note, {f"{name}_at": None}, **{f"{name}_at": Now()})
        return facts

    @classmethod
    def _note(cls, pk: UUID, revision: int, only: dict[str, Any], **values: Any) -> None:
        """A session that is open does not depend on the record."""
        try:
            cls._default_manager.filter(pk=pk, revision=revision, **only).update(**values)
        except DatabaseError as error:
            logger.warning("What was seen of connection %s's server could not be recorded: %s", pk, error)
