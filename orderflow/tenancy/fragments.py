"""Parts of the admin's pages that a browser loads again while a person looks at the page. None contains an input."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

View = Callable[..., HttpResponse]

# For htmx: load the whole page again.
RELOAD = {"HX-Refresh": "true"}


def fragment(view: View) -> View:
    """As `AdminSite.admin_view`, for htmx. Where the session has ended, the browser loads the whole page again, which
    leads to the login; otherwise it would show the login form in the fragment's place."""
    protected = admin.site.admin_view(view)

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "HX-Request" in request.headers and not admin.site.has_permission(request):
            return HttpResponse(headers=RELOAD)
        return protected(request, *args, **kwargs)

    return answer
