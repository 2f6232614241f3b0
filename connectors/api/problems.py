"""What is wrong with a connection, in the API's words."""

from connectors.exceptions import ConfigError
from orderflow.api.problems import FieldError, Problem, as_problem, field_pointer, invalid

# The fields of a connection itself; every other one stands in its config.
OWN_FIELDS = {"name", "connector_type"}


@as_problem.register
def _(error: ConfigError) -> Problem:
    pointer = "" if error.field in OWN_FIELDS or not error.field else "/config"
    if error.field:
        pointer = field_pointer(pointer, error.field)
    return invalid([FieldError(pointer=pointer, message=str(error))])
