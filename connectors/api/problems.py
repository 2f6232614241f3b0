"""What is wrong with a connection, in the API's words."""

from http import HTTPStatus

from connectors.connections.ack_places import AcksAwaited
from connectors.exceptions import ConfigError
from connectors.third_party.errors import ConnectorFault
from orderflow.api.errors.problem_codes import declare
from orderflow.api.errors.problems import FieldError, Problem, as_problem, field_pointer, invalid

# The fields of a connection itself; every other one stands in its config.
OWN_FIELDS = {"name", "connector_type"}


@as_problem.register
def _(error: ConnectorFault) -> Problem:
    return Problem("connector_unusable", str(error))


@as_problem.register
def _(error: AcksAwaited) -> Problem:
    return Problem("acks_awaited", f"{error} Send leave_acks true to confirm it.")


@as_problem.register
def _(error: ConfigError) -> Problem:
    return invalid([FieldError(pointer=_pointer(one.field), message=str(one)) for one in error.each])


def _pointer(field: str) -> str:
    pointer = "" if field in OWN_FIELDS or not field else "/config"
    return field_pointer(pointer, field) if field else pointer


declare(
    "connector_unusable",
    HTTPStatus.CONFLICT,
    "The connection's connector is not installed or at fault; `detail` says why. Fix or update its package.",
    example="Connector ACME_CSV cannot be used. It lacks the method parse_answer. Fix or update its package.",
)
declare(
    "acks_awaited",
    HTTPStatus.CONFLICT,
    "Sent orders wait for acknowledgements in a place that would not be read after the edit. Wait until they are "
    "acknowledged, or confirm the edit with `leave_acks`.",
    example="12 orders wait for acknowledgements in sftp://orderflow@sftp.acme.example:22/acks, which will not be read "
    "after this change. Wait until they are acknowledged; or confirm the change, and move the files to where "
    "acknowledgements are read then. Send leave_acks true to confirm it.",
)
