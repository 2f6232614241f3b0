"""What is wrong with an order, in the API's words."""

from http import HTTPStatus

from orderflow.api.problems import FieldError, Problem, as_problem, invalid
from orderflow.orders.approval import NotPossible
from orderflow.orders.editing import DuplicateOrderNumber, UnknownCustomer


@as_problem.register
def _(error: NotPossible) -> Problem:
    errors = [FieldError(pointer=f"/{reason.field}", message=reason.message) for reason in error.reasons]
    return Problem(HTTPStatus.CONFLICT, "not_ready" if errors else "wrong_status", str(error), errors=errors)


@as_problem.register
def _(error: UnknownCustomer) -> Problem:
    return invalid([FieldError(pointer=f"/customer/{error.field}", message=str(error))])


@as_problem.register
def _(error: DuplicateOrderNumber) -> Problem:
    errors = [FieldError(pointer="/external_order_number", message=str(error))]
    return Problem(HTTPStatus.CONFLICT, "duplicate_order_number", str(error), errors=errors)
