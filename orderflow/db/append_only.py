"""Rows that are written once and never changed."""

from typing import Any, NoReturn, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class HistoryIsFixed(Exception):
    """Something tried to change or delete a line of the past."""


class AppendOnlyQuerySet(models.QuerySet[M]):
    def update(self, **_kwargs: Any) -> NoReturn:
        raise HistoryIsFixed(f"{self.model._meta.verbose_name} rows are never changed.")

    def delete(self) -> NoReturn:
        raise HistoryIsFixed(f"{self.model._meta.verbose_name} rows are never deleted.")


class AppendOnly(models.Model):
    """A row that is written once."""

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise HistoryIsFixed(f"{self._meta.verbose_name} rows are never changed.")
        # Without it, a new object with an old row's key would take that row's place.
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise HistoryIsFixed(f"{self._meta.verbose_name} rows are never deleted.")
