"""Writes one line of the audit."""

import uuid

from django.db import models

from orderflow.tenancy.models import AuditEntry


def record(organization_id: uuid.UUID, actor: str, action: str, subject: models.Model, **detail: str) -> None:
    """Write one audit line in the caller's transaction."""
    AuditEntry.objects.create(
        organization_id=organization_id,
        actor=actor,
        action=action,
        subject_type=str(subject._meta.model_name),
        subject_id=str(subject.pk),
        detail=detail,
    )
