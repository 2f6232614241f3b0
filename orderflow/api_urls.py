"""Everything below /api/v1/."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from connectors.api import problems as connection_problems
from connectors.api.views import ConnectorTypeViewSet, ERPConnectionViewSet
from exports.api import problems as push_problems
from exports.api.ack_files import AckFileViewSet
from exports.api.bulk_pushes import BulkPushViewSet
from exports.api.exports import ERPExportViewSet
from exports.api.pushes import PushViewSet
from orderflow.api import schema, url_converters
from orderflow.api.tokens.views import TokenViewSet
from orderflow.orders.api import problems as order_problems
from orderflow.orders.api.views import DraftOrderViewSet

# Importing them registers them.
__all__ = ["connection_problems", "order_problems", "push_problems", "schema", "url_converters", "urlpatterns"]

router = SimpleRouter(use_regex_path=False)
router.register("draft-orders", DraftOrderViewSet, basename="draft-order")
router.register("draft-orders", PushViewSet, basename="draft-order-push")
router.register("draft-orders", BulkPushViewSet, basename="draft-order-bulk")
router.register("exports", ERPExportViewSet, basename="export")
router.register("ack-files", AckFileViewSet, basename="ack-file")
router.register("erp-connections", ERPConnectionViewSet, basename="erp-connection")
router.register("connector-types", ConnectorTypeViewSet, basename="connector-type")

urlpatterns = [
    path("token/", TokenViewSet.as_view({"post": "create", "delete": "destroy"}), name="token"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("", include(router.urls)),
]
