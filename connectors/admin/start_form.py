"""The admin's first question about a new connection."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from connectors.registry import registry
from orderflow.fields.identifier_field import IdentifierFormField
from orderflow.tenancy.models import Organization


class ConnectionStartForm(forms.Form):
    """What has to be known before the connector's own fields can be asked."""

    organization = forms.ModelChoiceField(Organization.objects.none(), widget=UnfoldAdminSelectWidget)
    name = IdentifierFormField(max_length=120, widget=UnfoldAdminTextInputWidget)
    connector_type = forms.ChoiceField(widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["connector_type"] = forms.ChoiceField(choices=connector_labels(), widget=UnfoldAdminSelectWidget)


def connector_labels() -> list[tuple[str, str]]:
    return [(name, connector.label) for name, connector in registry.types()]
