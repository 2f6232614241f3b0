"""Pages that other apps extend, without knowing those apps.

An app adds to a page in its `AppConfig.ready`: `DraftOrderAdmin.extensions.append(OrderPushing)`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from django.contrib.admin.options import IS_POPUP_VAR, InlineModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from orderflow.admin.pages import Button, Note, PageAdmin
from orderflow.tenancy.scope import User

RowAction = Callable[[HttpRequest, QuerySet[Any]], HttpResponse | None]


class PageExtension:
    """What one app adds to the `page` of another app's model. All hooks are optional."""

    # Names of methods of the extension, declared with `admin.action`. Their permissions are the extension's methods.
    actions: ClassVar[tuple[str, ...]] = ()
    # Of the actions, those that talk to a server: no transaction is held open for them.
    unlocked_actions: ClassVar[frozenset[str]] = frozenset()
    inlines: ClassVar[tuple[type[InlineModelAdmin[Any, Any]], ...]] = ()
    # Templates included above the list, and below the form of a row.
    list_template: ClassVar[str] = ""
    form_template: ClassVar[str] = ""

    def __init__(self, page: "ExtensibleAdmin") -> None:
        self.page = page

    def notes(self, request: HttpRequest, obj: Any) -> Iterable[Note]:
        return ()

    def buttons(self, request: HttpRequest, obj: Any) -> Iterable[Button]:
        return ()

    def get_urls(self) -> list[URLPattern]:
        return []

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        """What `list_template` asks for."""
        return {}

    def form_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What `form_template` asks for."""
        return {}

    def known_as(self, term: str, user: User) -> set[Any]:
        """The keys of the rows that a search for `term` finds."""
        return set()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The actions that the person may run, in the form of `ModelAdmin.get_actions`."""
        found = {}
        for name in self.actions:
            action = getattr(self, name)
            permissions = getattr(action, "allowed_permissions", ())
            if all(getattr(self, f"has_{permission}_permission")(request) for permission in permissions):
                found[name] = (_for_page(action), name, action.short_description)
        return found


def _for_page(action: RowAction) -> Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]:
    """Django calls an action with the page in front."""
    return lambda _page, request, rows: action(request, rows)


class ExtensibleAdmin(PageAdmin):
    """A page with the extensions that other apps have registered in its class's own list."""

    extensions: ClassVar[list[type[PageExtension]]]
    # A page with another template of its own includes this one where its extensions go.
    list_before_template = "tenancy/extensions.html"
    change_form_outer_after_template: ClassVar[str] = "tenancy/extensions.html"

    def extended(self) -> list[PageExtension]:
        return [extension(self) for extension in self.extensions]

    def get_urls(self) -> list[URLPattern]:
        return [*(url for each in self.extended() for url in each.get_urls()), *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if IS_POPUP_VAR not in request.GET:
            for each in self.extended():
                actions |= each.get_actions(request)
        return actions

    def unlocked(self) -> frozenset[str]:
        return super().unlocked().union(*(extension.unlocked_actions for extension in self.extensions))

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        return self.all_inlines()

    def all_inlines(self) -> list[Any]:
        return [*super().all_inlines(), *(inline for each in self.extensions for inline in each.inlines)]

    def all_notes(self, request: HttpRequest, obj: Any) -> Iterator[Note]:
        yield from super().all_notes(request, obj)
        for each in self.extended():
            yield from each.notes(request, obj)

    def all_buttons(self, request: HttpRequest, obj: Any) -> list[Button]:
        """The primary one first, whether the page or an extension offers it."""
        added = [button for each in self.extended() for button in each.buttons(request, obj)]
        return sorted([*super().all_buttons(request, obj), *added], key=lambda button: button.variant != "primary")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        templates = [extension.list_template for extension in self.extensions if extension.list_template]
        context = {**(extra_context or {}), "extension_templates": templates}
        for each in self.extended():
            context |= each.list_context(request)
        page: HttpResponse = super().changelist_view(request, context)
        return page

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context["extension_templates"] = [each.form_template for each in self.extensions if each.form_template]
            for extension in self.extended():
                context |= extension.form_context(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)
