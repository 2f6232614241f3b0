"""Fresh keys for an installation: `python -m orderflow.keys >> .env`."""

import secrets
import sys


def fresh_keys() -> dict[str, str]:
    """SECRET_KEY for Django, ENCRYPTION_MASTER_KEY as 32 random bytes in URL-safe base64."""
    return {"SECRET_KEY": secrets.token_urlsafe(48), "ENCRYPTION_MASTER_KEY": secrets.token_urlsafe(32)}


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}={value}\n" for name, value in fresh_keys().items())
