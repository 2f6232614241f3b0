"""The pages of the admin."""

import pytest
from django.contrib import admin

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


BY_LABEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
