"""What is wrong with a connection, in the API's words."""

from http import HTTPStatus

from connectors.exceptions import ConfigError
from connectors.third_party import ConnectorFault
from orderflow.api.problem_codes import declare
from orderflow.api.problems import FieldError, Problem, as_problem, field_pointer, invalid

# The fields of a connection itself; every other one stands in its config.
OWN_FIELDS = {"name", "connector_type"}


@as_problem.register
def _(error: ConnectorFault) -> Problem:
    return Problem("connector_unusable", str(error))


@as_problem.register
def _(error: ConfigError) -> Problem:
    pointer = "" if error.field in OWN_FIELDS or not error.field else "/config"
    if error.field:
        pointer = field_pointer(pointer, error.field)
    return invalid([FieldError(pointer=pointer, message=str(error))])


declare(
    "connector_unusable",
    HTTPStatus.CONFLICT,
    "The connection's connector is not installed or at fault; `detail` says why. Fix or update its package.",
    example="Connector ACME_CSV cannot be used. It lacks the method parse_answer. Fix or update its package.",
)
