"""Every `code` that a problem can have, with its status: the one table that views, OpenAPI document and docs read.

The API of each app declares its own.
"""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemCode:
    """`meaning` is for whoever writes a client; `example` is a `detail` as it may come."""

    status: HTTPStatus
    meaning: str
    example: str


CODES: dict[str, ProblemCode] = {}
# Of every call that takes a body.
WITH_A_BODY = (
    "malformed_json",
    "broken_off",
    "bad_encoding",
    "length_required",
    "too_large",
    "unsupported_media_type",
    "unsupported_encoding",
    "invalid",
)


def declare(code: str, status: HTTPStatus, meaning: str, *, example: str) -> None:
    if code in CODES:
        raise ValueError(f"The problem code {code!r} is declared twice.")
    CODES[code] = ProblemCode(status=status, meaning=meaning, example=example)


declare(
    "bad_request",
    HTTPStatus.BAD_REQUEST,
    "Host, headers or address cannot be read. Correct the request.",
    example="The request is not one that OrderFlow can read. Check its address, headers and size.",
)
declare(
    "malformed_json",
    HTTPStatus.BAD_REQUEST,
    "The body is not JSON in UTF-8. `detail` has the line and column.",
    example="The body is not JSON in UTF-8: Expecting value: line 1 column 12 (char 11).",
)
declare(
    "broken_off",
    HTTPStatus.BAD_REQUEST,
    "The body did not arrive whole. Send it again.",
    example="The body ends after 120 of 350 bytes. Send it again.",
)
declare(
    "bad_encoding",
    HTTPStatus.BAD_REQUEST,
    "The body is not gzip, as its `Content-Encoding` says, or it is damaged. Send it again, or uncompressed.",
    example="The gzip body is incomplete. Send it again.",
)
declare(
    "not_authenticated",
    HTTPStatus.UNAUTHORIZED,
    "The `Authorization` header is missing.",
    example="Authentication credentials were not provided.",
)
declare(
    "authentication_failed",
    HTTPStatus.UNAUTHORIZED,
    "The token is wrong, has expired or was revoked, or its user is off. Get another one.",
    example="Invalid token.",
)
declare(
    "permission_denied",
    HTTPStatus.FORBIDDEN,
    "The role of the token's user does not allow the call.",
    example="Your role is Viewer, which may not push and retry orders. Ask an administrator of Acme.",
)
declare(
    "no_organization",
    HTTPStatus.FORBIDDEN,
    "The user belongs to no organization, so there is none to create it in.",
    example="You belong to no organization, so there is none that this could be created in. Become a member of one.",
)
declare(
    "not_found",
    HTTPStatus.NOT_FOUND,
    "Nothing is there, or it is another organization's.",
    example="There is nothing at this address, or it is not yours to see.",
)
declare(
    "method_not_allowed",
    HTTPStatus.METHOD_NOT_ALLOWED,
    "The address has no such method. `Allow` lists those that it has.",
    example='Method "DELETE" not allowed.',
)
declare(
    "not_acceptable",
    HTTPStatus.NOT_ACCEPTABLE,
    "`Accept` leaves out JSON, which is all that the API speaks.",
    example="Only application/json is available, and the Accept header excludes it.",
)
declare(
    "length_required",
    HTTPStatus.LENGTH_REQUIRED,
    "The server that OrderFlow runs in does not decode chunked bodies. Send a `Content-Length`.",
    example="This server does not decode chunked bodies. Send a Content-Length.",
)
declare(
    "too_large",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "The body, after decoding, is larger than the installation takes.",
    example="The body is larger than 2621440 bytes. Send less at once.",
)
declare(
    "unsupported_media_type",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "The body is not sent as `application/json` in UTF-8. `Accept` lists the types that the call takes.",
    example="The body is text/plain. Send application/json.",
)
declare(
    "unsupported_encoding",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "The body's `Content-Encoding` is not gzip. Send it as gzip, or uncompressed.",
    example="The body's Content-Encoding is 'br'. Send it as gzip, or uncompressed.",
)
declare(
    "body_required",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The call needs a body, and there is none.",
    example="The body is empty. Send a JSON object.",
)
declare(
    "invalid",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "Values of the body or of the query are wrong. `errors` points at each.",
    example="A valid number is required.",
)
declare(
    "throttled",
    HTTPStatus.TOO_MANY_REQUESTS,
    "Too many calls. Wait for the seconds that `Retry-After` names.",
    example="Request was throttled. Expected available in 12 seconds.",
)
declare(
    "internal_error",
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "A fault of OrderFlow's. It is logged under `request_id`; with an `Idempotency-Key` it is safe to ask again.",
    example="OrderFlow failed at this. It is logged under the request id; tell it to your administrator.",
)
declare(
    "invalid_credentials",
    HTTPStatus.UNAUTHORIZED,
    "Username and password do not match, or the account is off.",
    example="Username and password do not match, or the account is off. Check both.",
)
declare(
    "bad_idempotency_key",
    HTTPStatus.BAD_REQUEST,
    "An `Idempotency-Key` is 1 to 255 printable ASCII characters without spaces and commas. Send one.",
    example="An Idempotency-Key is 1 to 255 printable ASCII characters without spaces and commas. Send one.",
)
declare(
    "idempotency_key_reused",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The key came with another request before. Use a new key.",
    example="Idempotency-Key 'push-PO-10258' came with another request before. Use a new key.",
)
declare(
    "still_running",
    HTTPStatus.CONFLICT,
    "The first request with this key has no answer yet. Ask again after `Retry-After`.",
    example="The first request with Idempotency-Key 'PO-10258' is still running. Ask again in a second.",
)
declare(
    "changed_meanwhile",
    HTTPStatus.PRECONDITION_FAILED,
    "`If-Match` names another version than the one there is. Load it again, and decide anew.",
    example='If-Match names "5d41402a", and the ETag is "7d793037" now. Load it again, and decide anew.',
)
