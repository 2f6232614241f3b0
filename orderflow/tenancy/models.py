import uuid

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models

from orderflow.db.append_only import AppendOnly
from orderflow.fields.identifier_field import IdentifierField
from orderflow.tenancy.roles import Role


class Organization(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    # The slug names a folder and stands in every document.
    slug = IdentifierField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", "Lower-case letters, digits and single hyphens.")],
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="membership")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()}, {self.organization})"


# In an audit line's detail: what a field was and is, for those only who may see it on the row's own page.
VALUES = "values"


class AuditEntry(AppendOnly):
    """Who did what to which row. `detail` holds names of fields and reasons, never a value that may be secret."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=40)
    subject_type = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["subject_id", "subject_type"], name="audit_by_subject"),
            models.Index(fields=["organization", "-id"], name="audit_by_organization"),
            models.Index(fields=["actor"], name="audit_by_actor"),
            models.Index(fields=["at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.subject_type} {self.subject_id}"
