import re
from typing import Any

from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from orderflow.api.models import ApiToken

TOKEN = re.compile(rb"[A-Za-z0-9_]+")


class BearerTokenAuthentication(TokenAuthentication):  # type: ignore[misc]  # knox has no types
    def authenticate_credentials(self, token: bytes) -> tuple[Any, ApiToken]:
        # Knox takes any bytes for UTF-8, and the database takes no NUL.
        if not TOKEN.fullmatch(token):
            raise AuthenticationFailed("Invalid token.")
        user, auth_token = super().authenticate_credentials(token)
        auth_token.note_use()
        return user, auth_token

    def _cleanup_token(self, auth_token: ApiToken) -> bool:
        """Knox would delete it, and look for others of the user at every call. Here people see for a while that it has
        expired, and a task deletes it."""
        return auth_token.has_expired
