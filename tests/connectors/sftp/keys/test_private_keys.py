from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.exceptions import ConfigError
from connectors.sftp.keys.private_keys import load_private_key
from tests.servers.sftp.openssh import generate_key

KINDS = [("ed25519", ()), ("ecdsa", ()), ("ecdsa", ("-b", "521")), ("rsa", ("-b", "2048"))]
PEM = ("-m", "PEM")


def public_key(path: Path) -> str:
    return path.with_suffix(".pub").read_text().split()[1]


@pytest.mark.parametrize("passphrase", ["", "pässword 1"], ids=["plain", "encrypted"])
@pytest.mark.parametrize("form", [(), PEM, ("-m", "PKCS8")], ids=["OpenSSH", "PEM", "PKCS8"])
@pytest.mark.parametrize(("kind", "options"), KINDS, ids=["ed25519", "ecdsa", "ecdsa-521", "rsa"])
def test_every_kind_and_form_is_read(
    tmp_path: Path, kind: str, options: tuple[str, ...], form: tuple[str, ...], passphrase: str
) -> None:
    path = tmp_path / "key"
    text = generate_key(path, kind=kind, passphrase=passphrase, options=(*options, *form))
    assert load_private_key(text, passphrase or None).get_base64() == public_key(path)


def test_a_key_survives_a_browsers_form(tmp_path: Path) -> None:
    path = tmp_path / "key"
    text = generate_key(path)
    pasted = "  \r\n" + text.strip().replace("\n", "\r\n")
    assert load_private_key(pasted, None).get_base64() == public_key(path)


def test_a_passphrase_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    assert load_private_key(generate_key(tmp_path / "key"), "unneeded")


@pytest.mark.parametrize("form", [(), PEM], ids=["OpenSSH", "PEM"])
@pytest.mark.parametrize("passphrase", [None, "wrong"])
def test_a_missing_or_wrong_passphrase_is_named(tmp_path: Path, form: tuple[str, ...], passphrase: str | None) -> None:
    text = generate_key(tmp_path / "key", kind="rsa", passphrase="right", options=form)
    with pytest.raises(ConfigError, match="passphrase") as error:
        load_private_key(text, passphrase)
    assert error.value.field == "passphrase"


def _dsa_key() -> str:
    key = dsa.generate_private_key(2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "cannot be read"),
        ("nonsense", "cannot be read"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "cannot be read"),
        ("-----BEGIN RSA PRIVATE KEY-----\näöü\n-----END RSA PRIVATE KEY-----", "cannot be read"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none", "PuTTYgen"),
        ("ssh-ed25519 AAAAC3Nza erp@acme", "public key"),
        (_dsa_key(), "Ed25519, ECDSA or RSA"),
    ],
    ids=["empty", "nonsense", "broken", "not ASCII", "PuTTY", "public", "DSA"],
)
def test_what_is_no_private_key_is_told_with_what_to_do(text: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint) as error:
        load_private_key(text, None)
    assert error.value.field == "private_key"
