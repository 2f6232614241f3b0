"""The JSON object that a call takes, with clear errors for whatever else was sent."""

from collections.abc import Mapping
from typing import Any, TypeVar

from rest_framework.request import Request

from orderflow.api.errors.problems import FieldError, Problem, invalid
from orderflow.api.input.serializers import StrictSerializer, kind_of
from orderflow.api.lists.filters import require_known

S = TypeVar("S", bound=StrictSerializer)


def entered(request: Request, serializer: type[S], *, optional: bool = False) -> S:
    """The validated serializer of the request's body. Where the body is `optional`, none at all is like `{}`.

    Raises `Problem` or `ValidationError`, also for parameters in the address: what is meant for the body would be lost
    there.
    """
    require_known(request, ())
    valid = serializer(data=_object(request, optional=optional))
    valid.is_valid(raise_exception=True)
    return valid


def _object(request: Request, *, optional: bool) -> Mapping[str, Any]:
    if not request.body:
        if optional:
            return {}
        text = "The body is empty. Send a JSON object."
        raise Problem("body_required", text, errors=[FieldError(pointer="", message=text)])
    data = request.data
    if not isinstance(data, Mapping):
        text = "The body is null. Send an object { … }."
        if data is not None:
            text = f"The body must be an object {{ … }}, not {kind_of(data)}."
        raise invalid([FieldError(pointer="", message=text)])
    return data
