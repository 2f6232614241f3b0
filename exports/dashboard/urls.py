from django.contrib import admin
from django.urls import path

from exports.dashboard.retry import retry_failures

urlpatterns = [path("failures/retry/", admin.site.admin_view(retry_failures), name="retry_failures")]
