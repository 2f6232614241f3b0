from django.apps import AppConfig
from django.db.models import Field

from orderflow.tenancy import folded_lookups
from orderflow.tenancy.any_of import AnyOf


class TenancyConfig(AppConfig):
    name = "orderflow.tenancy"
    verbose_name = "Organizations"

    def ready(self) -> None:
        Field.register_lookup(AnyOf)
        folded_lookups.register()
