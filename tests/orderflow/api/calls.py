"""Every call of the API, and what it takes to make it."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from django.urls import URLPattern, URLResolver

from orderflow import api_urls
from orderflow.tenancy.roles import Action

Call = tuple[str, str]
METHODS = {"get", "post", "put", "patch", "delete"}

NEEDS: dict[Call, Action] = {
    ("get", "draft-orders/"): Action.READ,
    ("post", "draft-orders/"): Action.EDIT_ORDERS,
    ("get", "draft-orders/<uuid:pk>/"): Action.READ,
    ("patch", "draft-orders/<uuid:pk>/"): Action.EDIT_ORDERS,
    ("post", "draft-orders/<uuid:pk>/approve/"): Action.APPROVE,
    ("post", "draft-orders/<uuid:pk>/reopen/"): Action.APPROVE,
    ("post", "draft-orders/<uuid:pk>/push/"): Action.PUSH,
    ("post", "draft-orders/<uuid:pk>/retry-push/"): Action.PUSH,
    ("post", "draft-orders/push/"): Action.PUSH,
    ("post", "draft-orders/retry-push/"): Action.PUSH,
    ("get", "exports/"): Action.READ,
    ("get", "exports/<uuid:pk>/"): Action.READ,
    ("get", "exports/<uuid:pk>/document/"): Action.READ,
    ("post", "exports/<uuid:pk>/decide/"): Action.PUSH,
    ("get", "ack-files/"): Action.READ,
    ("get", "ack-files/<int:pk>/"): Action.READ,
    ("get", "erp-connections/"): Action.READ,
    ("post", "erp-connections/"): Action.EDIT_CONNECTIONS,
    ("get", "erp-connections/<uuid:pk>/"): Action.READ,
    ("patch", "erp-connections/<uuid:pk>/"): Action.EDIT_CONNECTIONS,
    ("post", "erp-connections/<uuid:pk>/test/"): Action.TEST_CONNECTIONS,
    ("get", "connector-types/"): Action.READ,
}
# They show or change nothing of any organization.
PUBLIC: set[Call] = {("post", "token/"), ("get", "schema/"), ("get", "docs/")}
OWN: set[Call] = {("delete", "token/")}


def routed_calls() -> set[Call]:
    return set(_walk(api_urls.urlpatterns, ""))


def _walk(patterns: Iterable[object], prefix: str) -> Iterator[Call]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            actions = getattr(pattern.callback, "actions", None) or {"get": ""}
            route = (prefix + str(pattern.pattern)).replace("<any_case_uuid:", "<uuid:")
            yield from ((method, route) for method in METHODS & actions.keys())


def is_of_one_row(route: str) -> bool:
    return "pk>" in route


def address(route: str, pk: UUID | int | str | None = None) -> str:
    return "/api/v1/" + route.replace("<uuid:pk>", str(pk)).replace("<int:pk>", str(pk))
