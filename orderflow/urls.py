from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from orderflow.api.errors.pages import no_such_call
from orderflow.login import admin_login
from orderflow.web import error_pages

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", include("exports.dashboard.urls")),
    path("admin/login/", admin_login.login),
    path("admin/", admin.site.urls),
    path("api/v1/", include("orderflow.api_urls")),
    re_path("^api/", no_such_call),
]

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.not_found
handler500 = error_pages.server_error
