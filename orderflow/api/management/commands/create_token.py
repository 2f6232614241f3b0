from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orderflow.api.models import ApiToken
from orderflow.api.tokens import service as token_service
from orderflow.api.tokens.service import MOST_DAYS, TokenRefused


class Command(BaseCommand):
    help = "Make a token for the API. It alone goes to standard output, and is not shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="Whose role the token has.")
        parser.add_argument("--name", required=True, help="What it is for, such as the system that calls with it.")
        parser.add_argument("--days", type=int, help=f"How long it lives, up to {MOST_DAYS}; default: TOKEN_TTL_DAYS.")

    def handle(self, **options: Any) -> None:
        username = options["username"]
        user = User.objects.select_related("membership__organization").filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username!r}. Check the name, or add the user in the admin.")
        try:
            token, text = token_service.make(user, options["name"], actor="create_token", days=options["days"])
        except TokenRefused as error:
            raise CommandError(str(error)) from error
        self.stderr.write(_facts(token))
        self.stdout.write(text)


def _facts(token: ApiToken) -> str:
    return f"{token} acts for {token.user.membership} until {token.expiry:%Y-%m-%d %H:%M} UTC. It is not shown again."
