"""The settings of the API's frameworks."""

from typing import Any

from orderflow.environment.reading import Environment


def framework(env: Environment) -> dict[str, Any]:
    """REST_FRAMEWORK. Raises `UnusableSetting`."""

    return {
        "DEFAULT_AUTHENTICATION_CLASSES": ["orderflow.api.tokens.authentication.BearerTokenAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["orderflow.tenancy.permissions.RolePermission"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["orderflow.api.input.parsers.StrictJSONParser"],
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": "orderflow.api.input.negotiation.JsonNegotiation",
        "DEFAULT_FILTER_BACKENDS": ["orderflow.api.lists.filters.KnownFilters"],
        "DEFAULT_PAGINATION_CLASS": "orderflow.api.lists.pagination.NewestFirst",
        "DEFAULT_METADATA_CLASS": None,
        "DEFAULT_THROTTLE_RATES": {
            "login": env.rate("RATE_LOGIN", "10/min"),
            "login-address": env.rate("RATE_LOGIN_ADDRESS", "60/min"),
            "push": env.rate("RATE_PUSH", "1200/min"),
            "push-organization": env.rate("RATE_PUSH_ORGANIZATION", "6000/min"),
            "connection-test": env.rate("RATE_CONNECTION_TEST", "20/min"),
            "connection-test-organization": env.rate("RATE_CONNECTION_TEST_ORGANIZATION", "100/min"),
        },
        # The framework believes none: `orderflow.client_address` tells where a call comes from.
        "NUM_PROXIES": 0,
        "DEFAULT_SCHEMA_CLASS": "orderflow.api.schema.CallSchema",
        "EXCEPTION_HANDLER": "orderflow.api.errors.problems.problem_response",
        "TEST_REQUEST_DEFAULT_FORMAT": "json",
        "COERCE_DECIMAL_TO_STRING": False,
    }


SCHEMA = {
    "TITLE": "OrderFlow",
    "DESCRIPTION": "Bring approved orders into the ERP, once, and know that they arrived.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PATH_CONVERTER_OVERRIDES": {"any_case_uuid": {"type": "string", "format": "uuid"}},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "orderflow.api.schema.with_problem_schema",
    ],
    "ENUM_NAME_OVERRIDES": {
        "OrderStatus": "orderflow.orders.status.OrderStatus",
        "ExportStatus": "exports.models.status.ExportStatus",
        "ConnectionStatus": "connectors.models.ERPConnection.Status",
    },
}
