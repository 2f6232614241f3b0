"""What is wrong with an order, in the API's words."""

from http import HTTPStatus

from orderflow.api.errors.problem_codes import declare
from orderflow.api.errors.problems import FieldError, Problem, as_problem, invalid
from orderflow.orders.approval import DuplicateOrderNumber, NotPossible
from orderflow.orders.editing import UnknownCustomer


@as_problem.register
def _(error: NotPossible) -> Problem:
    errors = [FieldError(pointer=f"/{reason.field}", message=reason.message) for reason in error.reasons]
    return Problem("not_ready" if errors else "wrong_status", str(error), errors=errors)


@as_problem.register
def _(error: UnknownCustomer) -> Problem:
    return invalid([FieldError(pointer=f"/customer/{error.field}", message=str(error))])


@as_problem.register
def _(error: DuplicateOrderNumber) -> Problem:
    errors = [FieldError(pointer="/external_order_number", message=str(error))]
    return Problem("duplicate_order_number", str(error), errors=errors)


declare(
    "not_ready",
    HTTPStatus.CONFLICT,
    "Something blocks the order. `errors` has every reason, with a pointer into the order.",
    example="Order PO-10258 cannot be approved: Line 2 has no SKU.",
)
declare(
    "wrong_status",
    HTTPStatus.CONFLICT,
    "The order's status does not allow it. `detail` names the status.",
    example="Order PO-10258 is PUSHED and can no longer be edited.",
)
declare(
    "duplicate_order_number",
    HTTPStatus.CONFLICT,
    "The customer has an order of this number already. The number of a REJECTED order can be used again.",
    example="Customer ERNSH Ernst Handel has an order 'PO-10258' already.",
)
