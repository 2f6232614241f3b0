"""What people paste into the fields of a connection: stored correctly, or refused at the field, by form and API."""

import base64
import dataclasses
import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.support.pasted_keys import PASSPHRASE, PPK, X509, PastedKeys, make_keys
from tests.support.tenants import log_in

ADD = "/admin/connectors/erpconnection/add/?connector_type=DROPZONE_JSON_V1"
BASE: dict[str, Any] = {
    "mode": "sftp", "host": "sftp.acme.example", "username": "erp", "password": "canary-0", "export_path": "in",
}  # fmt: skip
Text = str | Callable[[PastedKeys], str]
Outcome = tuple[dict[str, str], dict[str, Any]]
Enter = Callable[[dict[str, Any]], Outcome]


@dataclass(frozen=True, kw_only=True)
class Case:
    """`stored` is what the config has then, of the fields that it names; `refused` is a part of the message at each
    field that has one. `given` is entered beside it."""

    field: str
    pasted: Text
    stored: dict[str, Text | int] = dataclasses.field(default_factory=dict)
    refused: dict[str, str] = dataclasses.field(default_factory=dict)
    given: dict[str, Any] = dataclasses.field(default_factory=dict)


def host(pasted: str, *, given: dict[str, Any] | None = None, **stored: Any) -> Case:
    return Case(field="host", pasted=pasted, stored=stored, given=given or {})


def no_host(pasted: str, message: str, *, at: str = "host", **given: Any) -> Case:
    return Case(field="host", pasted=pasted, refused={at: message}, given=given)


def key(pasted: Text, stored: Text, **given: Any) -> Case:
    return Case(field="private_key", pasted=pasted, stored={"private_key": stored}, given=given)


def no_key(pasted: Text, message: str, *, at: str = "private_key", **given: Any) -> Case:
    return Case(field="private_key", pasted=pasted, refused={at: message}, given=given)


def host_key(pasted: Text, stored: Text, **given: Any) -> Case:
    return Case(field="host_key", pasted=pasted, stored={"host_key": stored}, given=given)


def no_host_key(pasted: Text, message: str, **given: Any) -> Case:
    return Case(field="host_key", pasted=pasted, refused={"host_key": message}, given=given)


LOCKED = {"passphrase": PASSPHRASE}
NONE = {"username": ""}
HOSTS = {
    "URL": host("sftp://ftpuser@files.acme.example:2222/", given=NONE, host="files.acme.example", port=2222,
                username="ftpuser"),
    "URL with the folder for orders": host("sftp://files.acme.example/in/", host="files.acme.example",
                                           export_path="in"),
    "URL with another folder": no_host("sftp://files.acme.example/out", "ends with the folder '/out', and the folder "
                                       "for orders is 'in'"),
    "ssh URL": host("ssh://files.acme.example", host="files.acme.example", port=22),
    "another protocol": no_host("ftp://files.acme.example", "begins with ftp://, but this connection uses SFTP"),
    "user": host("ftpuser@files.acme.example", given=NONE, host="files.acme.example", username="ftpuser"),
    "same user": host("erp@files.acme.example", host="files.acme.example", username="erp"),
    "another user": no_host("ftpuser@files.acme.example", "The host names the username ftpuser, and this field erp",
                            at="username"),
    "user with a domain": host("erp@acme@files.acme.example", given=NONE, username="erp@acme"),
    "encoded user": host("sftp://erp%40acme@files.acme.example", given=NONE, username="erp@acme"),
    "password": no_host("sftp://erp:canary-1@files.acme.example", "It contains a password"),
    "password with slashes": no_host("sftp://erp:canary-1/x@files.acme.example", "not a port"),
    "port": host("files.acme.example:2222", host="files.acme.example", port=2222),
    "same port": host("files.acme.example:2222", given={"port": 2222}, port=2222),
    "another port": no_host("files.acme.example:2222", "The host names the port 2222, and this field 2022", at="port",
                            port=2022),
    "no port": no_host("files.acme.example:22a", "not a port from 1 to 65535"),
    "scp": host("erp@files.acme.example:", host="files.acme.example", port=22),
    "slash": host("files.acme.example/", host="files.acme.example"),
    "IPv4": host("127.0.0.2", host="127.0.0.2"),
    "short IPv4": no_host("127.1", "not a valid IPv4 address"),
    "number": no_host("0x7f000001", "not a valid IPv4 address"),
    "address that is not allowed": no_host("169.254.169.254", "DROPZONE_ALLOWED_NETWORKS"),
    "IPv6": no_host("[::1]", "::1 leads to an address that may not be connected to"),
    "IPv6 with a port": no_host("[::1]:2222", "::1 leads to an address that may not be connected to"),
    "IPv6 with a zone": no_host("fe80::1%eth0", "fe80::1%eth0 leads to an address that may not be connected to"),
    "half an IPv6": no_host("[::1", "reads [address]:port"),
    "trailing dot": host("files.acme.example.", host="files.acme.example"),
    "blanks": host("\u00a0 files.acme.example\t\u200b", host="files.acme.example"),
    "line end": host("files.acme.example\r\n", host="files.acme.example"),
    "two lines": no_host("localhost\r\nX", "a line break or another invisible character"),
    "command": no_host("sftp -P 2222 erp@files.acme.example", "It is a command"),
    "blank inside": no_host("files acme", "It contains a blank"),
    "umlaut": host("Bücher.example", host="xn--bcher-kva.example"),
    "sharp s": no_host("straße.example", "begins with xn--"),
    "upper case": host("SFTP.Acme.Example", host="sftp.acme.example"),
    "underscore": host("sftp_server", host="sftp_server"),
    "comma": no_host("files.acme.example,", "',' cannot be part of a host name"),
    "share": no_host(r"\\files\in", r"cannot be part of a host name"),
    "two dots": no_host("files..example", "Two dots"),
    "long": no_host("a" * 64 + ".example", "at most 63 characters"),
}  # fmt: skip
PRIVATE_KEYS = {
    "Ed25519": key(lambda k: k.ed25519, lambda k: k.ed25519.strip()),
    "ECDSA": key(lambda k: k.ecdsa, lambda k: k.ecdsa.strip()),
    "encrypted": key(lambda k: k.ed25519_locked, lambda k: k.ed25519_locked.strip(), **LOCKED),
    "encrypted PEM": key(lambda k: k.rsa_pem_locked, lambda k: k.rsa_pem_locked.strip(), **LOCKED),
    "encrypted PKCS 8": key(lambda k: k.rsa_pkcs8_locked, lambda k: k.rsa_pkcs8_locked.strip(), **LOCKED),
    "CRLF": key(lambda k: k.rsa.replace("\n", "\r\n"), lambda k: k.rsa.strip()),
    "blanks around it": key(lambda k: f"\n\n  {k.ed25519} \n\n", lambda k: k.ed25519.strip()),
    "BOM": key(lambda k: f"\ufeff{k.ed25519}", lambda k: k.ed25519.strip()),
    "indented": key(lambda k: k.ed25519.replace("\n", "\n\u00a0   "), lambda k: k.ed25519.strip()),
    "one line": key(lambda k: k.ed25519.replace("\n", " "), lambda k: k.ed25519.strip()),
    "escaped line ends": key(lambda k: k.ed25519.replace("\n", "\\n"), lambda k: k.ed25519.strip()),
    "after Bag Attributes": key(lambda k: f"Bag Attributes\n    friendlyName: erp\n{k.ecdsa}",
                                lambda k: k.ecdsa.strip()),
    "PuTTY 2": no_key(PPK.format(version=2), "Conversions > Export OpenSSH key"),
    "PuTTY 3": no_key(PPK.format(version=3), "Conversions > Export OpenSSH key"),
    "ssh.com": no_key("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAAA\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
                      "Conversions > Export OpenSSH key"),
    "public": no_key(lambda k: k.public, "This is the public key"),
    "public, RFC 4716": no_key(lambda k: k.public_rfc4716, "This is the public key"),
    "public, PEM": no_key(lambda k: k.public_pem, "This is the public key"),
    "OpenSSH certificate": no_key(lambda k: k.certificate, "This is a certificate"),
    "X.509 certificate": no_key(X509, "This is a certificate"),
    "key and certificate": no_key(lambda k: f"{k.rsa}{X509}", "Remove the certificate"),
    "key and OpenSSH certificate": no_key(lambda k: f"{k.ed25519}{k.certificate}", "Remove the certificate"),
    "certificate and key": no_key(lambda k: f"{X509}{k.rsa}", "Remove the certificate"),
    "two keys": no_key(lambda k: f"{k.rsa}{k.ed25519}", "holds 2 private keys"),
    "key and more": no_key(lambda k: f"{k.rsa}$ ", "more than the private key"),
    "no passphrase": no_key(lambda k: k.ed25519_locked, "Enter its passphrase", at="passphrase"),
    "wrong passphrase": no_key(lambda k: k.rsa_pem_locked, "does not open the private key", at="passphrase",
                               passphrase="canary-2"),
    "short RSA": no_key(lambda k: k.rsa_1024, "RSA with 1024 bits"),
    "DSA": no_key(lambda k: k.dsa, "Ed25519, ECDSA or RSA"),
    "another curve": no_key(lambda k: k.secp256k1, "Ed25519, ECDSA or RSA"),
    "garbage": no_key("canary-3 \x00", "", at="private_key"),
    "nonsense": no_key("canary-3", "from '-----BEGIN'"),
    "end missing": no_key(lambda k: k.ed25519[:150], "The end of the private key is missing"),
    "beginning missing": no_key(lambda k: k.ed25519[150:], "The beginning of the private key is missing"),
    "middle missing": no_key(lambda k: k.ed25519[:100] + k.ed25519[200:], "cannot be read"),
    "scrypt": key(lambda k: k.rsa_scrypt, lambda k: k.rsa_scrypt.strip(), **LOCKED),
    "scrypt, sixteen times": no_key(lambda k: k.much_scrypt, "ssh-keygen -p", **LOCKED),
    "billions of rounds": no_key(lambda k: k.many_rounds, "ssh-keygen -p", **LOCKED),
    "millions of iterations": no_key(lambda k: k.many_iterations, "ssh-keygen -p", **LOCKED),
}  # fmt: skip
NAME = "sftp.acme.example"
SHA256 = "SHA256:" + "A" * 43
HOST_KEYS = {
    "type and key": host_key(lambda k: k.host_ed25519, lambda k: k.host_ed25519),
    ".pub": host_key(lambda k: f"{k.host_rsa} root@sftp\n", lambda k: k.host_rsa),
    "tabs": host_key(lambda k: k.host_rsa.replace(" ", "\t \u00a0"), lambda k: k.host_rsa),
    "ssh-keyscan": host_key(lambda k: f"# {NAME}:22 SSH-2.0-x\n{NAME} {k.host_rsa}\n{NAME} {k.host_ed25519}\n",
                            lambda k: f"{k.host_rsa}\n{k.host_ed25519}"),
    "ssh-keyscan -p": host_key(lambda k: f"[{NAME}]:2222 {k.host_rsa}", lambda k: k.host_rsa, port=2222),
    "ssh-keyscan of its address": host_key(lambda k: f"10.0.0.5 {k.host_rsa}\n10.0.0.5 {k.host_ecdsa}",
                                           lambda k: f"{k.host_rsa}\n{k.host_ecdsa}"),
    "ssh-keyscan -H": host_key(lambda k: f"{hashed(NAME)} {k.host_rsa}\n{hashed(NAME)} {k.host_ecdsa}",
                               lambda k: f"{k.host_rsa}\n{k.host_ecdsa}"),
    "known_hosts": host_key(lambda k: f"{NAME},10.0.0.5 {k.host_rsa} comment", lambda k: k.host_rsa),
    "known_hosts of several": no_host_key(lambda k: f"{NAME} {k.host_rsa}\nother.example {k.host_ecdsa}",
                                          f"Line 2 is for another server than {NAME}"),
    "hashed known_hosts of several": no_host_key(
        lambda k: f"{hashed('other.example')} {k.host_rsa}\n{hashed(NAME)} {k.host_ecdsa}",
        f"Line 1 is for another server than {NAME}"),
    "hashed known_hosts of others": no_host_key(
        lambda k: f"{hashed('a.example')} {k.host_ed25519}\n{hashed('b.example')} {k.public}",
        "two keys of one type"),
    "hashed lines of its name and address": host_key(
        lambda k: f"{hashed('a.example')} {k.host_rsa}\n{hashed('10.0.0.5')} {k.host_rsa}", lambda k: k.host_rsa),
    "of several others": no_host_key(lambda k: f"a.example {k.host_rsa}\nb.example {k.host_ecdsa}", "several servers"),
    "revoked": no_host_key(lambda k: f"@revoked {NAME} {k.host_rsa}", "Line 1 revokes its key"),
    "authority": no_host_key(lambda k: f"@cert-authority *.acme.example {k.host_rsa}", "a certificate authority"),
    "twice": host_key(lambda k: f"{k.host_rsa}\n{NAME} {k.host_rsa}", lambda k: k.host_rsa),
    "two in a line": host_key(lambda k: f"{k.host_rsa} {k.host_ecdsa}", lambda k: f"{k.host_rsa}\n{k.host_ecdsa}"),
    "RFC 4716": host_key(lambda k: k.public_rfc4716, lambda k: " ".join(k.public.split()[:2])),
    "fingerprint": host_key(SHA256, SHA256),
    "fingerprint with =": host_key(f"{SHA256}=", SHA256),
    "ssh-keygen -lf, Ed25519": host_key(lambda k: k.printed["h1 sha256"],
                                        lambda k: f"ssh-ed25519 {k.printed['h1 sha256'].split()[1]}"),
    "ssh-keygen -lf, ECDSA": host_key(lambda k: k.printed["h2 sha256"],
                                      lambda k: f"ecdsa-sha2-nistp256 {k.printed['h2 sha256'].split()[1]}"),
    "ssh-keygen -lf, RSA": host_key(lambda k: k.printed["h3 sha256"],
                                    lambda k: f"ssh-rsa {k.printed['h3 sha256'].split()[1]}"),
    "ssh-keygen -lf, short RSA": no_host_key(lambda k: k.printed["h4 sha256"], "RSA with 1024 bits"),
    "ssh": host_key(f"ED25519 key fingerprint is {SHA256}.", f"ssh-ed25519 {SHA256}"),
    "PuTTY": host_key(f"ssh-rsa 3072 {SHA256}", f"ssh-rsa {SHA256}"),
    "MD5": no_host_key(lambda k: k.printed["h1 md5"], "It is an MD5 fingerprint"),
    "bare MD5": no_host_key("aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99", "It is an MD5 fingerprint"),
    "half a fingerprint": no_host_key("SHA256:abc", "has 43 characters after 'SHA256:', this one has 3"),
    "half a key": no_host_key(lambda k: k.host_rsa[:60], "A part of the key is missing"),
    "short RSA": no_host_key(lambda k: k.host_rsa_1024, "RSA with 1024 bits"),
    "another type": no_host_key("ssh-dss AAAAB3NzaC1kc3MAAACBAAAA", "Host keys of the type ssh-dss are not accepted"),
    "certificate": no_host_key(lambda k: k.certificate, "It is a host certificate"),
    "private key": no_host_key(lambda k: k.ed25519, "It is a private key"),
    "comments alone": no_host_key("# nothing", "It holds no host key"),
    "nonsense": no_host_key("nonsense", "It cannot be read"),
}  # fmt: skip
FOLDERS = {
    "blanks": Case(field="export_path", pasted="\ufeff /orders/in\u200b\r\n", stored={"export_path": "/orders/in"}),
    "URL": Case(field="export_path", pasted="sftp://x/orders/in", refused={"export_path": "It is a URL"}),
    "Windows": Case(field="export_path", pasted=r"C:\orders\in", refused={"export_path": "It is a Windows path"}),
    "share": Case(field="ack_path", pasted=r"\\files\acks", refused={"ack_path": "It is a Windows path"}),
    "username": Case(field="username", pasted="\u200berp\u00a0", stored={"username": "erp"}),
    "username with a line break": Case(field="username", pasted="erp\r\nx", refused={"username": "no line breaks"}),
}
CASES = {
    f"{name}: {case}": content
    for name, cases in (("host", HOSTS), ("private key", PRIVATE_KEYS), ("host key", HOST_KEYS), ("folder", FOLDERS))
    for case, content in cases.items()
}


def hashed(name: str) -> str:
    """As `ssh-keyscan -H` writes it."""
    salt = os.urandom(20)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> PastedKeys:
    return make_keys(Path(tmp_path_factory.mktemp("keys")))


@pytest.fixture(params=["form", "API"])
def enter(request: pytest.FixtureRequest, organization: Organization, api: APIClient) -> Enter:
    """The message at each field that has one, and the config that was stored."""
    if request.param == "API":
        return lambda config: _through_api(api, config)
    client = log_in(organization, Role.INTEGRATOR)
    return lambda config: _through_form(client, config)


def _through_form(client: Client, config: dict[str, Any]) -> Outcome:
    defaults = {"port": 22, "temp_name": "{name}.tmp", "timeout_s": 30, "ack_timeout_h": 24}
    data = {f"config_{name}": value for name, value in {**defaults, **config}.items()}
    page = client.post(ADD, {"name": "ERP", "status": "ACTIVE", **data})
    if page.status_code == 302:
        return {}, _stored()
    content = page.content.decode()
    assert "canary" not in content
    errors = page.context["adminform"].form.errors
    return {name.removeprefix("config_"): str(messages[0]) for name, messages in errors.items()}, _stored()


def _through_api(api: APIClient, config: dict[str, Any]) -> Outcome:
    body = {"name": "ERP", "connector_type": "DROPZONE_JSON_V1", "config": config}
    response = api.post("/api/v1/erp-connections/", body)
    assert "canary" not in response.content.decode()
    if response.status_code == 201:
        return {}, _stored()
    assert response.status_code == 422
    errors = response.json()["errors"]
    return {error["pointer"].removeprefix("/config/"): error["message"] for error in errors}, _stored()


def _stored() -> dict[str, Any]:
    row = ERPConnection.objects.first()
    return row.stored_config() if row else {}


def text(pasted: Text | int, keys: PastedKeys) -> Any:
    return pasted(keys) if callable(pasted) else pasted


@pytest.mark.parametrize("name", CASES)
def test_what_is_pasted_is_stored_correctly_or_refused_at_its_field(name: str, enter: Enter, keys: PastedKeys) -> None:
    case = CASES[name]
    pasted = text(case.pasted, keys)
    errors, stored = enter({**BASE, **case.given, case.field: pasted})
    assert errors.keys() == case.refused.keys()
    for at, message in case.refused.items():
        assert message in errors[at]
    assert {at: stored.get(at) for at in case.stored} == {at: text(value, keys) for at, value in case.stored.items()}
    if case.refused:
        assert stored == {}
        body = [line for line in pasted.split() if len(line) > 30] if case.field == "private_key" else []
        assert not any(line in message for line in body for message in errors.values())


def test_all_errors_of_a_config_come_at_once(enter: Enter, keys: PastedKeys) -> None:
    wrong = {
        "mode": "sftp", "host": "ftp://x", "port": "70000", "username": "", "private_key": keys.public,
        "host_key": "nonsense", "export_path": "", "ack_path": "../up", "temp_name": "x", "timeout_s": 0,
    }  # fmt: skip
    errors, stored = enter(wrong)
    assert set(errors) == set(wrong) - {"mode"}
    assert stored == {}


def test_an_empty_form_names_every_field_that_is_required(enter: Enter) -> None:
    errors, _ = enter({"mode": "sftp"})
    assert set(errors) == {"host", "username", "password", "export_path"}


def test_what_is_pasted_counts_for_nothing_without_a_server(enter: Enter) -> None:
    errors, stored = enter({"mode": "filesystem", "export_path": "in", "host": "ftp://x", "host_key": "nonsense"})
    assert (errors, stored["host"], stored["host_key"]) == ({}, "", "")
