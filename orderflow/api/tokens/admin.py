from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timeuntil
from knox.settings import knox_settings
from unfold.widgets import UnfoldAdminTextInputWidget

from orderflow.admin.pages import Button, PageAdmin, badge
from orderflow.admin.scoped import ORGANIZATION, actor, may_edit_members
from orderflow.api.models import ApiToken
from orderflow.api.tokens import service as token_service
from orderflow.api.tokens.service import EXPIRES_SOON, MOST_DAYS, TokenRefused
from orderflow.fields.number_fields import WholeNumberField
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import membership_of


class NewTokenForm(forms.ModelForm):  # type: ignore[type-arg] # Django's class is not generic when run
    days = WholeNumberField(
        min_value=1,
        max_value=MOST_DAYS,
        initial=lambda: knox_settings.TOKEN_TTL.days,
        label="Days of life",
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = ApiToken
        fields = ("user", "name")


@admin.register(ApiToken)
class ApiTokenAdmin(PageAdmin):
    """Whoever may set a member's password may make tokens for that member too, and nobody else."""

    organization_path = "user__membership__organization"
    needed_to_add = needed_to_change = Action.EDIT_MEMBERS
    audits_itself = frozenset({"add"})
    actions = ("revoke",)
    # Every call sets it.
    seen_without = frozenset({"last_used_at"})
    list_display = ("name", "member", "role", "prefix", "state", "created", "expiry", "last_used_at", "organization")
    search_fields = ("name", "token_key", "user__username")
    search_help_text = "Name, user name or how the token begins"
    ordering = ("-created",)
    readonly_fields: ClassVar[Any] = ("member", "role", "prefix", "state", "created", "expiry", "last_used_at")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_edit_members(request)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return may_edit_members(request)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[ApiToken]:
        """A superuser's are out of an administrator's reach, as the superuser is."""
        rows = super().get_queryset(request).select_related("user__membership__organization")
        return rows if getattr(request.user, "is_superuser", False) else rows.filter(user__is_superuser=False)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", *self.readonly_fields) if obj else ("user", "name", "days")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        own = {} if obj else {"form": NewTokenForm}
        return super().get_form(request, obj, change, **{**own, **kwargs})

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.queryset = field.queryset.filter(is_active=True, membership__isnull=False)
        return field

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        only_save = {"show_save_and_add_another": False, "show_save_and_continue": False}
        page: HttpResponse = super().add_view(request, form_url, {**only_save, **(extra_context or {})})
        return page

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made, text = token_service.make(obj.user, obj.name, actor=actor(request), days=form.cleaned_data["days"])
        obj.pk = made.pk
        obj.refresh_from_db()
        _show_once(request, obj, text)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """To the list, without another message."""
        page: HttpResponse = self.response_post_save_add(request, obj)
        return page

    def buttons(self, request: HttpRequest, obj: ApiToken) -> Iterator[Button]:
        yield Button(action="revoke", label="Revoke", icon="block", ask="Why it is revoked")

    def page_url(self, row: ApiToken) -> str:
        """Where its one button leads: the token has no page then."""
        return reverse(f"admin:{self.url_name('changelist')}")

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, rows: models.QuerySet[ApiToken]) -> None:
        who, reason = actor(request), request.POST.get("reason", "").strip()
        self.run_each(
            request,
            rows,
            lambda token: token_service.revoke(token, actor=who, reason=reason),
            done="revoked. It opens nothing any more" if len(rows) == 1 else "revoked. They open nothing any more",
            refusal=TokenRefused,
        )

    @admin.display(description="user", ordering="user__username")
    def member(self, token: ApiToken) -> str:
        return str(token.user)

    @admin.display(description="role", ordering="user__membership__role")
    def role(self, token: ApiToken) -> str:
        membership = membership_of(token.user)
        return membership.get_role_display() if membership else ""

    @admin.display(description=ORGANIZATION, ordering="user__membership__organization__name")
    def organization(self, token: ApiToken) -> str:
        membership = membership_of(token.user)
        return str(membership.organization) if membership else ""

    @admin.display(description="begins with", ordering="token_key")
    def prefix(self, token: ApiToken) -> str:
        return f"{token.token_key}…"

    @admin.display(description="state", ordering="expiry")
    def state(self, token: ApiToken) -> SafeString:
        if token.has_expired:
            return badge("Expired", "danger")
        left = token.expiry - timezone.now()
        if left < EXPIRES_SOON and token.user.is_active:
            return badge(f"Expires in {timeuntil(token.expiry, depth=1)}", "warning")
        return badge("Valid", "success") if token.user.is_active else badge("User deactivated", "warning")


def _show_once(request: HttpRequest, token: ApiToken, text: str) -> None:
    # What waits to be shown could push this message out of the browser's cookie, into the session's row.
    list(messages.get_messages(request))
    sentence = "The token of {}, {}: <code>{}</code> Copy it now: it is kept nowhere and not shown again."
    messages.success(request, format_html(sentence, token.user, token.name, text))
