"""What a user may see: rows of the own organization, for a superuser every row."""

from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models

from orderflow.tenancy.models import Membership, Organization
from orderflow.tenancy.roles import ALLOWED, Action, Role

M = TypeVar("M", bound=models.Model)
User = AbstractBaseUser | AnonymousUser


def membership_of(user: User) -> Membership | None:
    # Django keeps the answer on the user, so a request asks the database once.
    return getattr(user, "membership", None)


def organization_of(user: User) -> Organization | None:
    membership = membership_of(user)
    return membership.organization if membership else None


def may(user: User, action: Action) -> bool:
    if getattr(user, "is_superuser", False):
        return True
    membership = membership_of(user)
    return membership is not None and action in ALLOWED[Role(membership.role)]


def scoped(rows: models.QuerySet[M], user: User, *, path: str = "organization") -> models.QuerySet[M]:
    """`rows` that `user` may see; `path` leads from a row to its organization."""
    if getattr(user, "is_superuser", False):
        return rows
    membership = membership_of(user)
    return rows.filter(**{path: membership.organization_id}) if membership else rows.none()
