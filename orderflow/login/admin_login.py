"""The admin's login page, with the limits of every login."""

import math
from http import HTTPStatus
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from unfold.forms import AuthenticationForm

from orderflow.login.limits import refused_for_s

_WAIT_S = "login_refused_for_s"


class LimitedLoginForm(AuthenticationForm):  # type: ignore[misc] # unfold has no types
    error_messages: ClassVar = {
        **AuthenticationForm.error_messages,
        "invalid_login": "Username and password do not match, or this account may not log in here. Check both; an "
        "administrator can set a new password.",
    }

    def clean(self) -> dict[str, Any]:
        """Raises `ValidationError` before the password is looked at when there were too many attempts."""
        wait_s = math.ceil(refused_for_s(self.request))
        if wait_s:
            setattr(self.request, _WAIT_S, wait_s)
            raise ValidationError(
                f"Too many login attempts from your address. Wait {_wait_text(wait_s)}, then try again.",
                code="throttled",
            )
        cleaned: dict[str, Any] = super().clean()
        return cleaned


def login(request: HttpRequest) -> HttpResponse:
    response = admin.site.login(request)
    wait_s = getattr(request, _WAIT_S, None)
    if wait_s:
        response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        response["Retry-After"] = str(wait_s)
    return response


def _wait_text(seconds: int) -> str:
    """In seconds below two minutes, otherwise in minutes."""
    if seconds < 120:
        return f"{seconds} second{'s' if seconds != 1 else ''}"
    return f"{math.ceil(seconds / 60)} minutes"
