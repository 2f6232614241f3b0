from typing import Any

from django import forms

from connectors.exceptions import ConfigError
from exports.webhooks import endpoint_service
from exports.webhooks.client import url_policy
from exports.webhooks.models import WebhookEndpoint


class WebhookEndpointForm(forms.ModelForm):  # type: ignore[type-arg] # Django's class is not generic when run
    class Meta:
        model = WebhookEndpoint
        fields = ("organization", "name", "url", "enabled", "wants_sent", "wants_acked", "wants_failed")

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            url_policy.checked(url)
        except ConfigError as error:
            raise forms.ValidationError(str(error)) from error
        return url

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        organization = cleaned.get("organization")
        if organization and self.instance._state.adding:
            try:
                endpoint_service.require_room(organization.pk)
            except ConfigError as error:
                raise forms.ValidationError(str(error)) from error
        return cleaned
