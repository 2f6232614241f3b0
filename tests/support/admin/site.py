"""The pages of the admin."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin

from orderflow.admin.extensions import ExtensibleAdmin

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


def actions_of(page: "ModelAdmin[Any]") -> list[str]:
    """The page's own, and those of the extensions that other apps added to it."""
    extended = page.extended() if isinstance(page, ExtensibleAdmin) else []
    return [*map(str, page.actions or ()), *(name for extension in extended for name in extension.actions)]


BY_LABEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
