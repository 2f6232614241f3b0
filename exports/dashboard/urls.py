from django.contrib import admin
from django.urls import path

from exports.dashboard.now import now
from exports.dashboard.views import retry_failures
from orderflow.tenancy.fragments import fragment

urlpatterns = [
    path("dashboard/", fragment(now), name="dashboard_now"),
    path("failures/retry/", admin.site.admin_view(retry_failures), name="retry_failures"),
]
