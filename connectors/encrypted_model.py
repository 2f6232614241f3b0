"""Rows that keep a secret: encrypted for this very row, and brought under a new key by the rotation."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.db import models

from connectors.encryption import EncryptionError, KeyRing, UnknownKeyError
from connectors.exceptions import ConfigError
from orderflow.fields.identifier_field import IdentifierField
from orderflow.tenancy.models import Organization


def key_ring() -> KeyRing:
    return KeyRing.from_text(settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS)


class Sealed(models.Model):
    """The column `sealed_column` holds the envelope, `sealed_as` says in words of what; `sealed_remedy` is what helps
    when it does not open though its key is there."""

    sealed_column: ClassVar[str]
    sealed_as: ClassVar[str]
    sealed_remedy: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    name = IdentifierField(max_length=120)

    class Meta:
        abstract = True

    @property
    def envelope(self) -> bytes:
        return bytes(getattr(self, self.sealed_column))

    @property
    def _row(self) -> bytes:
        return f"{self._meta.db_table}|{self.organization_id}|{self.pk}".encode()

    def seal(self, plaintext: bytes) -> None:
        """Encrypt for this row; the caller saves."""
        setattr(self, self.sealed_column, key_ring().seal(plaintext, bound_to=self._row))

    def unseal(self) -> bytes:
        """Raises `ConfigError`."""
        try:
            return key_ring().open(self.envelope, bound_to=self._row)
        except EncryptionError as error:
            missing = error.key_id if isinstance(error, UnknownKeyError) else ""
            text = f"The {self.sealed_as} {self.name!r} cannot be decrypted. {error}"
            raise ConfigError(text if missing else f"{text} {self.sealed_remedy}", missing_key=missing) from error


def sealed_values(row: Sealed, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` of the row's columns with the secret in place of its envelope, which every encryption makes anew."""
    try:
        return {**values, row.sealed_column: row.unseal()}
    except ConfigError:
        return dict(values)


def sealed_models() -> list[type[Sealed]]:
    return [model for model in apps.get_models() if issubclass(model, Sealed)]
