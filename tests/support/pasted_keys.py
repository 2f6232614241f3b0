"""Keys as the usual tools write them, made once for all tests that paste them."""

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.servers.sftp.openssh import generate_key

PASSPHRASE = "pässword 1"
PPK = """PuTTY-User-Key-File-{version}: ssh-ed25519
Encryption: none
Comment: erp
Public-Lines: 2
AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNe
PnAS
Private-Lines: 1
AAAAIMb0L0JNaRuI2mSgPaTzJvKzRX0bPk5JcQ0CsvVV0000
Private-MAC: 0000000000000000000000000000000000000000
"""
X509 = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUZ\n-----END CERTIFICATE-----\n"


@dataclass(frozen=True, kw_only=True)
class PastedKeys:
    """Private keys have the name of what they are, public ones begin with `public_` or `host_`."""

    ed25519: str
    ed25519_locked: str
    rsa: str
    rsa_pem_locked: str
    rsa_pkcs8_locked: str
    rsa_1024: str
    ecdsa: str
    secp256k1: str
    dsa: str
    many_rounds: str
    many_iterations: str
    rsa_scrypt: str
    much_scrypt: str
    public: str
    public_rfc4716: str
    public_pem: str
    certificate: str
    host_ed25519: str
    host_ecdsa: str
    host_rsa: str
    host_rsa_1024: str
    printed: dict[str, str]


def make_keys(folder: Path) -> PastedKeys:
    def made(name: str, kind: str, *options: str, passphrase: str = "") -> str:
        return generate_key(folder / name, kind=kind, passphrase=passphrase, options=options)

    def public(name: str) -> str:
        return (folder / f"{name}.pub").read_text().strip()

    ed25519 = made("ed25519", "ed25519")
    for name, kind, options in (
        ("h1", "ed25519", ()), ("h2", "ecdsa", ()),
        ("h3", "rsa", ("-b", "2048", "-m", "PKCS8")), ("h4", "rsa", ("-b", "1024")),
    ):  # fmt: skip
        made(name, kind, *options)
    return PastedKeys(
        ed25519=ed25519,
        ed25519_locked=made("locked", "ed25519", "-a", "1", passphrase=PASSPHRASE),
        rsa=made("rsa", "rsa", "-b", "2048"),
        rsa_pem_locked=made("pem", "rsa", "-b", "2048", "-m", "PEM", passphrase=PASSPHRASE),
        rsa_pkcs8_locked=made("pkcs8", "rsa", "-b", "2048", "-m", "PKCS8", passphrase=PASSPHRASE),
        rsa_1024=made("rsa_1024", "rsa", "-b", "1024"),
        ecdsa=made("ecdsa", "ecdsa"),
        secp256k1=_pem(ec.generate_private_key(ec.SECP256K1())),
        dsa=_pem(dsa.generate_private_key(2048)),
        many_rounds=_many_rounds(ed25519),
        many_iterations=_pkcs8(folder / "h3", "-iter", "4000000"),
        rsa_scrypt=_pkcs8(folder / "h3", "-scrypt"),
        much_scrypt=_pkcs8(folder / "h3", "-scrypt", "-scrypt_p", "16"),
        public=public("ed25519"),
        public_rfc4716=_ssh_keygen("-e", "-f", str(folder / "ed25519.pub")),
        public_pem=_ssh_keygen("-e", "-m", "PKCS8", "-f", str(folder / "rsa.pub")),
        certificate=_certificate(folder),
        host_ed25519=_plain(public("h1")),
        host_ecdsa=_plain(public("h2")),
        host_rsa=_plain(public("h3")),
        host_rsa_1024=_plain(public("h4")),
        printed={
            f"{name} {form}": _ssh_keygen("-lf", str(folder / f"{name}.pub"), "-E", form).strip()
            for name in ("h1", "h2", "h3", "h4")
            for form in ("sha256", "md5")
        },
    )


def _plain(public: str) -> str:
    return " ".join(public.split()[:2])


def _pem(key: ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _ssh_keygen(*options: str) -> str:
    return subprocess.run(["ssh-keygen", *options], check=True, capture_output=True, text=True).stdout


def _certificate(folder: Path) -> str:
    """A user's certificate, signed with one of the keys."""
    _ssh_keygen("-s", str(folder / "rsa"), "-I", "erp", "-n", "erp", str(folder / "ed25519.pub"))
    return (folder / "ed25519-cert.pub").read_text().strip()


def _many_rounds(plain: str) -> str:
    """A key that claims to need two billion rounds of bcrypt: its header is changed, the rest stays."""
    body = base64.b64decode("".join(plain.split("\n")[1:-2]))
    magic = b"openssh-key-v1\0"
    rest = body.removeprefix(magic + _field(b"none") + _field(b"none") + _field(b""))
    options = _field(b"0123456789abcdef") + (2**31).to_bytes(4, "big")
    raw = magic + _field(b"aes256-ctr") + _field(b"bcrypt") + _field(options) + rest
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{base64.b64encode(raw).decode()}\n-----END OPENSSH PRIVATE KEY-----\n"


def _field(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _pkcs8(key: Path, *derivation: str) -> str:
    options = ["-topk8", "-in", str(key), "-passout", f"pass:{PASSPHRASE}", *derivation]
    return subprocess.run(["openssl", "pkcs8", *options], check=True, capture_output=True, text=True).stdout
