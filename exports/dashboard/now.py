from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from exports.dashboard import page


@require_safe
def now(request: HttpRequest) -> HttpResponse:
    """What the dashboard shows at this moment, for the page that is open already."""
    return TemplateResponse(request, "exports/dashboard/now.html", page.context(request, {}))
