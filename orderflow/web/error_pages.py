"""What people see instead of a page: what is wrong, and where to go from there."""

from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme

from orderflow.api.errors import pages as api_pages
from orderflow.api.errors.request_id import current_request_id
from orderflow.tenancy.roles import Action, Role
from orderflow.tenancy.scope import may, membership_of


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if api_pages.is_for_api(request):
        return api_pages.bad_request(request, exception)
    # Its host or its address may be what cannot be read, so nothing is taken from it.
    text = "The request cannot be read. Check the address, then try again."
    return _plain(HTTPStatus.BAD_REQUEST, title="Bad request", text=text)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if api_pages.is_for_api(request):
        return api_pages.permission_denied(request, exception)
    return _page(request, HTTPStatus.FORBIDDEN, title="You may not do this", text=_why_not(request))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signature
    text = (
        "The CSRF check failed, so nothing was done. The page may have been open since before you logged in, or the "
        "browser blocks cookies. Go back, load the page again, and send it once more."
    )
    return _page(request, HTTPStatus.FORBIDDEN, title="The form was not accepted", text=text)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if api_pages.is_for_api(request):
        return api_pages.not_found(request, exception)
    # For an unknown address, Django puts the routes there.
    reason = next((argument for argument in exception.args if isinstance(argument, str)), "")
    text = reason or f"There is no page at {request.path}. Check the address."
    return _page(request, HTTPStatus.NOT_FOUND, title="Not found", text=text)


def server_error(request: HttpRequest) -> HttpResponse:
    """Without the database, which may be the cause."""
    if api_pages.is_for_api(request):
        return api_pages.server_error(request)
    text = "Something went wrong. Try again; if it happens again, the server's log has the cause under this request id."
    title, back = "Server error", _back(request)
    return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, title=title, text=text, back=back, request_id=current_request_id())


def _page(request: HttpRequest, status: HTTPStatus, *, title: str, text: str) -> HttpResponse:
    """With the admin's navigation for those who may see it."""
    back, user = _back(request), getattr(request, "user", None)
    if not (user and admin.site.has_permission(request)):
        return _plain(status, title=title, text=text, back=back)
    more = {"title": title, "text": text, "back": back, "is_stranger": not may(user, Action.READ)}
    page = render_to_string("tenancy/error.html", {**admin.site.each_context(request), **more}, request)
    return HttpResponse(page, status=status)


def _plain(status: HTTPStatus, **context: Any) -> HttpResponse:
    return HttpResponse(render_to_string("tenancy/plain_error.html", context), status=status)


def _why_not(request: HttpRequest) -> str:
    membership = membership_of(request.user) if hasattr(request, "user") else None
    if membership is None:
        return "Your account does not allow this. Ask an administrator."
    role = Role(membership.role).label
    return f"Your role is {role}, which does not allow this. Ask an administrator of {membership.organization}."


def _back(request: HttpRequest) -> str:
    """The page that led here, if it is one of this site and another one."""
    address = request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()})
    return address if safe and address != request.build_absolute_uri() else ""
