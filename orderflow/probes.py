"""For whoever watches the process: does it run, and can it work?"""

from http import HTTPStatus

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from exports.rollback import guard


def livez(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> JsonResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        held = guard.held()
    except DatabaseError:
        status = "The database does not answer."
        return JsonResponse({"status": status}, status=HTTPStatus.SERVICE_UNAVAILABLE)
    if held:
        # It takes pushes all the same, so it is no reason to send it no requests.
        return JsonResponse({"status": f"Deliveries and polls are held: {held.held_because}"})
    return JsonResponse({"status": "ok"})
