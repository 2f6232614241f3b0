"""Which prompts the password is the response to."""

import pytest

from connectors.sftp.auth.prompts import Asks, asks_for
from connectors.sftp.auth.userauth import Prompt

CODES = [
    "Sicherheitscode:",
    "mTAN:",
    "TAN:",
    "SMS-TAN eingeben:",
    "pushTAN:",
    "Bitte TAN-Nummer eingeben:",
    "Einmalkennwort:",
    "Einmalpasswort:",
    "Einmal-Passwort:",
    "Bestätigungscode:",
    "Zugangscode aus der SMS:",
    "PIN aus App:",
    "Sicherheits-PIN:",
    "Passwort oder Code:",
    "Zweiter Faktor:",
    "Passcode or option (1-3): ",
    "Enter PASSCODE: ",
    "Verification code: ",
    "OTP: ",
    "OTP Password: ",
    "One-time password (OATH) for `erp': ",
    "Token: ",
    "Token_Response: ",
    "Enter your tokencode:",
    "Second Factor (optional): ",
    "Enter Your Microsoft verification code",
    "Enter the 6-digit number: ",
    "Yubikey for `erp': ",
    "Duo two-factor login for erp",
    "otp-md5 495 ke1234, Response: ",
    "Code de vérification : ",
    "Código de verificación:",
    "Verificatiecode:",
    "Engångskod:",
    "Код:",
]
PASSWORDS = [
    "Password:",
    "Password: ",
    "erp's password: ",
    "(erp@host) Password: ",
    "Password for erp@token.example:",
    "Passwort:",
    "Passwort für Benutzer erp:",
    "Kennwort",
    "Windows-Kennwort:",
    "Enter your LDAP password: ",
    "UNIX password: ",
    "Passphrase: ",
    "First Factor: ",
    "Mot de passe : ",
    "Contraseña:",
    "Adgangskode:",
    "Пароль: ",
    "Password (Unicode is allowed): ",
    "Password for the standard instance: ",
]


def asked(text: str, *, said: str = "", echo: bool = False, user: str = "erp") -> Asks:
    return asks_for(said, [Prompt(text, echo)], was_sent=False, user=user)


@pytest.mark.parametrize("echo", [False, True], ids=["hidden", "shown"])
@pytest.mark.parametrize("text", CODES)
def test_no_password_is_typed_where_a_code_is_asked_for(text: str, echo: bool) -> None:
    """B02."""
    assert asked(text, echo=echo) is Asks.CODE


@pytest.mark.parametrize("text", PASSWORDS)
def test_a_prompt_for_a_password_is_none_for_a_code(text: str) -> None:
    assert asked(text) is Asks.PASSWORD


@pytest.mark.parametrize("user", ["token", "tan", "pin", "otp", "code"])
@pytest.mark.parametrize(
    "text", ["{}'s password: ", "Password for {}: ", "{}@erp.example's password:", "Password for user {}:"]
)
def test_a_user_may_be_called_like_a_code(user: str, text: str) -> None:
    assert asked(text.format(user), user=user) is Asks.PASSWORD
    assert asked("Code: ", user=user) is Asks.CODE


@pytest.mark.parametrize("text", ["", ": ", ">"])
def test_where_the_prompt_does_not_say_it_the_instructions_do(text: str) -> None:
    assert asked(text, said="Bitte geben Sie die mTAN ein, die wir Ihnen gesendet haben.") is Asks.CODE
    assert asked(text, said="Enter the one-time code from your app.") is Asks.CODE
    assert asked(text, said="Welcome to Acme.") is Asks.PASSWORD


def test_instructions_of_a_second_factor_do_not_make_a_password_a_code() -> None:
    assert asked("Password: ", said="Two-factor authentication is required on this host.") is Asks.PASSWORD
