"""While there is no organization, pages that need one lead to its form, and from there back."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from orderflow.tenancy.models import Organization

NEXT = "next"
# In the address of the way back, stands for the key of the row that was added.
ROW = "__row__"


def detour(request: HttpRequest) -> HttpResponse | None:
    """To the form of the first organization, or None when there is one. Only a superuser can be without."""
    if not getattr(request.user, "is_superuser", False) or Organization.objects.exists():
        return None
    messages.info(request, "Everything belongs to an organization. Create the first one, then you return here.")
    return HttpResponseRedirect(add_url(request.get_full_path()))


def add_url(back: str) -> str:
    """Of the form for an organization, which leads `back` once it is saved."""
    return f"{reverse('admin:tenancy_organization_add')}?{urlencode({NEXT: back})}"


def way_back(request: HttpRequest) -> str:
    """The address on this site where the page was opened from, or an empty string."""
    address = request.GET.get(NEXT, "")
    hosts = {request.get_host()}
    safe = url_has_allowed_host_and_scheme(address, allowed_hosts=hosts, require_https=request.is_secure())
    return address if safe else ""


def only_organization() -> Organization | None:
    """The one that there is, where there is no choice."""
    found = list(Organization.objects.all()[:2])
    return found[0] if len(found) == 1 else None
