"""Why a push cannot be had, in the API's words."""

from http import HTTPStatus

from exports.push_service import PushRefused
from orderflow.api.idempotency import ASK_AGAIN
from orderflow.api.problems import FieldError, Problem, as_problem

# The request itself is wrong; every other refusal is about the state of things.
UNPROCESSABLE = {"idempotency_key_reused", "unknown_connection"}
POINTERS = {"unknown_connection": "/connection"}


@as_problem.register
def _(error: PushRefused) -> Problem:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error.code in UNPROCESSABLE else HTTPStatus.CONFLICT
    errors = [FieldError(pointer=POINTERS[error.code], message=str(error))] if error.code in POINTERS else []
    headers = ASK_AGAIN if error.code == "still_running" else {}
    return Problem(status, error.code, str(error), errors=errors, headers=headers)
