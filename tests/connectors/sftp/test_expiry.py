"""Which words of a server mean that the password of the account that logs in has expired."""

import pytest

from connectors.sftp.auth.expiry import says_password_expired


@pytest.mark.parametrize(
    "words",
    [
        "WARNING: Your password has expired. Password change required but no TTY available.",
        "Password change required but no TTY available.",
        "You are required to change your password immediately (administrator enforced).",
        "You must change your password now and login again!",
        "Your UNIX password has expired",
        "Password expired. Contact your administrator.",
        "Login denied: the password has expired",
        "Your password must be changed.",
        "Sie müssen Ihr Passwort sofort ändern (Passwortablauf).",
        "Ihr Kennwort ist abgelaufen.",
        "Ihr Passwort ist bereits abgelaufen.",
        "Votre mot de passe a expiré.",
        "Su contraseña ha caducado.",
    ],
)
def test_a_statement_about_the_account_counts(words: str) -> None:
    """B06."""
    assert says_password_expired(words)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "passwords must be changed every 90 days",
        "Your password must be changed every 90 days.",
        "You must change your password regularly.",
        "A password change is required every 90 days.",
        "No password change required.",
        "Your password has not expired. It expires in 30 days.",
        "Accounts whose password has expired: call 123",
        "If your password has expired, call 123.",
        "Maintenance on Sunday; when the password has expired, wait.",
        "Your password will expire in 3 days.",
        "You must change your password within 3 days.",
        "Ihr Kennwort ist nicht abgelaufen.",
        "Wenn Ihr Kennwort abgelaufen ist, rufen Sie an.",
        "Sie müssen Ihr Passwort alle 90 Tage ändern.",
        "Si votre mot de passe a expiré, appelez.",
        "Your account has expired.",
    ],
)
def test_a_policy_a_condition_and_a_denial_do_not(words: str) -> None:
    assert not says_password_expired(words)
