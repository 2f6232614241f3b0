"""Why a push cannot be had, in the API's words."""

from http import HTTPStatus

from exports.models.status import PushRefused
from orderflow.api.errors.problem_codes import declare
from orderflow.api.errors.problems import FieldError, Problem, as_problem
from orderflow.api.idempotency import ASK_AGAIN

POINTERS = {"unknown_connection": "/connection"}


@as_problem.register
def _(error: PushRefused) -> Problem:
    errors = [FieldError(pointer=POINTERS[error.code], message=str(error))] if error.code in POINTERS else []
    headers = ASK_AGAIN if error.code == "still_running" else {}
    return Problem(error.code, str(error), errors=errors, headers=headers)


declare(
    "not_approved",
    HTTPStatus.CONFLICT,
    "Only an APPROVED order can be pushed. Approve it first.",
    example="Order PO-10258 is READY; only an APPROVED order can be pushed.",
)
declare(
    "already_pushed",
    HTTPStatus.CONFLICT,
    "The order is on its way or has arrived. Its newest export tells where it stands.",
    example="Order PO-10258 is PUSHED already.",
)
declare(
    "not_failed",
    HTTPStatus.CONFLICT,
    "Only an order in ERROR can be retried.",
    example="Order PO-10258 is PUSHED; only an order in ERROR can be retried.",
)
declare(
    "still_alive",
    HTTPStatus.CONFLICT,
    "An export of the order is PENDING or SENT. Wait for its end.",
    example="Export sales_order_0d9f….json of order PO-10258 is PENDING. Wait for its end.",
)
declare(
    "not_undecided",
    HTTPStatus.CONFLICT,
    "The export is not in doubt, so there is nothing to decide. `status` and `undecided_since` say where it stands.",
    example="Export sales_order_0d9f….json is SENT and not in doubt; there is nothing to decide.",
)
declare(
    "no_connection",
    HTTPStatus.CONFLICT,
    "The organization has no default connection. Name one in `connection`, or make one the default.",
    example="Acme has no default ERP connection. Choose one for the push, or make one the default.",
)
declare(
    "connection_disabled",
    HTTPStatus.CONFLICT,
    "The connection is DISABLED. Enable it, or name another.",
    example="Connection 'ERP' is disabled. Enable it or name another.",
)
declare(
    "unknown_connection",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The organization has no connection of this id.",
    example="There is no connection 6f1c2a34-1f0e-4a4c-9a51-3b6b3d0a9f11. Check the id, or name none.",
)
declare(
    "document_not_stored",
    HTTPStatus.NOT_FOUND,
    "No copy of the document is stored yet. Ask again once the export is SENT.",
    example="No copy of sales_order_0d9f….json is stored yet. Export 4be2… is PENDING.",
)
