from django.apps import AppConfig
from django.db.models import Field

from orderflow.db import case_folding
from orderflow.db.lookups import AnyOf


class TenancyConfig(AppConfig):
    name = "orderflow.tenancy"
    verbose_name = "Organizations"

    def ready(self) -> None:
        Field.register_lookup(AnyOf)
        case_folding.register()
