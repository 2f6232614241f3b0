from functools import partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.forms import AdminPasswordChangeForm

from orderflow.admin.extensions import ExtensibleAdmin, PageExtension
from orderflow.admin.filters import DateSpanFilter
from orderflow.admin.history import details_of
from orderflow.admin.optimistic_locking.row_version import Seen
from orderflow.admin.scoped import ORGANIZATION, ScopedModelAdmin, ScopedTabularInline, may_edit_members
from orderflow.tenancy.member_forms import MemberForm, NewMemberForm
from orderflow.tenancy.models import AuditEntry, Membership, Organization
from orderflow.tenancy.roles import Action, Role, role_text

# Of many tokens, the first few.
NAMED = 20
ADD_ROLE = "Add a role at the end of this page and save it again."

# Roles decide what a person may do, so Django's groups have no say.
admin.site.unregister([User, Group])


@admin.register(Organization)
class OrganizationAdmin(ExtensibleAdmin):
    extensions: ClassVar[list[type[PageExtension]]] = []
    organization_path = "pk"
    needed_to_change = Action.EDIT_MEMBERS
    fields = ("name", "slug", "created_at")
    list_display = ("name", "slug", "created_at")
    search_fields = ("name", "slug")
    help_texts: ClassVar = {
        "slug": "Lower-case letters, digits and hyphens. It names the organization's folder below DROPZONE_ROOT and "
        "stands in every document, so it cannot be changed later.",
    }

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{"help_texts": self.help_texts, **kwargs})

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        """The slug follows the name until a person edits it."""
        return {} if obj else {"slug": ("name",)}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return getattr(request.user, "is_superuser", False)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Folders and documents carry the slug from the first order on.
        return ("slug", "created_at") if obj else ("created_at",)


class MembershipInline(ScopedTabularInline):
    model = Membership
    needed_to_add = needed_to_change = Action.EDIT_MEMBERS
    verbose_name_plural = "role"
    max_num = 1

    def get_min_num(self, request: HttpRequest, obj: Any = None, **_kwargs: Any) -> int:
        """Somebody without a membership would be out of the reach of whoever added him."""
        return 0 if getattr(request.user, "is_superuser", False) else 1

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "role":
            kwargs["choices"] = [(role.value, role_text(role)) for role in Role]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, validate_min=True, **kwargs)


@admin.register(User)
class MemberAdmin(UserAdmin, ScopedModelAdmin):  # type: ignore[type-arg, misc] # Django's class is not generic when run
    """People. Only a superuser sees superusers: whoever may set a password may become that person."""

    organization_path = "membership__organization"
    needed_to_add = needed_to_change = Action.EDIT_MEMBERS
    form = MemberForm
    add_form = NewMemberForm
    change_password_form = AdminPasswordChangeForm
    change_user_password_template = "tenancy/change_password.html"  # noqa: S105 - a file's name
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("username", "password", "first_name", "last_name", "email", "is_active", "is_staff")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "password1", "password2", "is_staff")}),)
    readonly_fields = ("last_login", "date_joined")
    # Every log-in sets it.
    seen_without = frozenset({"last_login"})
    filter_horizontal = ()
    list_display = ("username", "name", "email", "role", "organization", "is_active", "last_login")
    list_filter = ("is_active", "membership__role")
    list_select_related = ("membership__organization",)
    search_fields = ("username", "first_name", "last_name", "email")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_edit_members(request)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        rows = super().get_queryset(request)
        return rows if getattr(request.user, "is_superuser", False) else rows.filter(is_superuser=False)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not getattr(request.user, "is_superuser", False):
            return fieldsets
        return (*fieldsets, ("All organizations", {"fields": ("is_superuser",)}))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        row, seen = self.get_object(request, unquote(id)), self.seen_now(unquote(id))
        if request.method != "POST":
            return self._with_version(super().user_change_password(request, id, form_url), seen)
        page = self.run_as_seen(request, row, partial(super().user_change_password, request, id, form_url))
        if isinstance(page, HttpResponseRedirect):
            self._tell_of_tokens(request, row)
        return self._with_version(page, seen) if page else HttpResponseRedirect(request.get_full_path())

    def _tell_of_tokens(self, request: HttpRequest, user: Any) -> None:
        """Programs go on calling with theirs: a new password does not stop them, and people may not expect that."""
        names = list(user.auth_token_set.filter(expiry__gt=timezone.now()).values_list("name", flat=True)[:NAMED])
        if names:
            text = f"API tokens of {user} still work: {', '.join(names)}. Revoke those that others may know."
            messages.warning(request, text)

    def _with_version(self, page: HttpResponse, seen: Seen | None) -> HttpResponse:
        if isinstance(page, TemplateResponse):
            page.context_data = {**(page.context_data or {}), "seen": seen}
        return page

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        user = form.instance
        if not user.is_superuser and not Membership.objects.filter(user=user).exists():
            messages.warning(request, f"{user} has no role in an organization and cannot see anything yet. {ADD_ROLE}")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"is_staff": True, **super().get_changeform_initial_data(request)}

    @admin.display(description="name")
    def name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description="role", ordering="membership__role")
    def role(self, user: User) -> str:
        membership = getattr(user, "membership", None)
        return membership.get_role_display() if membership else ""

    @admin.display(description=ORGANIZATION, ordering="membership__organization__name")
    def organization(self, user: User) -> str:
        membership = getattr(user, "membership", None)
        return str(membership.organization) if membership else ""


@admin.register(AuditEntry)
class AuditEntryAdmin(ScopedModelAdmin):
    fields: ClassVar[Any] = ("at", "organization", "actor", "action", "subject_type", "subject_id", "details")
    readonly_fields = fields
    list_display = ("at", "organization", "actor", "action", "subject_type", "subject_id", "details")
    list_display_links = ("at",)
    list_filter = ("organization", ("at", DateSpanFilter))
    list_filter_submit = True
    list_select_related = ("organization",)
    sortable_by = ()
    # Exact: the letters' case is not looked past, or no index would help.
    search_fields = ("actor__exact", "subject_id__exact")
    search_help_text = "User name or id of the row"
    has_history = False

    @admin.display(description="details")
    def details(self, entry: AuditEntry) -> str:
        return details_of(entry)
