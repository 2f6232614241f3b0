from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orderflow.urls import handler400, handler404, handler500
from orderflow.urls import urlpatterns as product

__all__ = ["handler400", "handler404", "handler500", "urlpatterns"]


class Empty(APIView):
    """What a call costs that only finds out who asks."""

    permission_classes = [IsAuthenticated]

    def post(self, _request: Request) -> Response:
        return Response({})


urlpatterns = [path("empty/", Empty.as_view()), *product]
