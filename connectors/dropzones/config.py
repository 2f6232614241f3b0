"""How a connection describes its dropzone: the form that checks it, the value that the code works with."""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator

from connectors.dropzones.base import Dropzone
from connectors.dropzones.local import LocalDropzone
from connectors.dropzones.sftp import SFTPDropzone
from connectors.sftp.pool import Key, Owner, sessions
from connectors.sftp.session import SFTPSession
from connectors.sftp.target import SFTPTarget
from connectors.steps import Steps

SECRET_FIELDS = frozenset({"password", "private_key", "passphrase"})
SERVER_FIELDS = ("mode", "host", "port")


def _check_path(value: str) -> None:
    if ".." in PurePosixPath(value).parts or re.search(r"[\x00-\x1f\x7f]", value):
        raise forms.ValidationError("A path has no '..' and no control characters.")


class DropzoneForm(forms.Form):
    mode = forms.ChoiceField(choices=[("sftp", "SFTP server"), ("filesystem", "Folder on this machine")])
    host = forms.CharField(required=False, max_length=253, help_text="Name or address of the SFTP server.")
    port = forms.IntegerField(initial=22, min_value=1, max_value=65535)
    username = forms.CharField(required=False, max_length=120)
    password = forms.CharField(required=False, strip=False, widget=forms.PasswordInput)
    private_key = forms.CharField(
        required=False, widget=forms.Textarea, help_text="Ed25519, ECDSA or RSA, in OpenSSH or PEM form."
    )
    passphrase = forms.CharField(
        required=False, strip=False, widget=forms.PasswordInput, help_text="Only if the private key has one."
    )
    host_key = forms.CharField(
        required=False,
        help_text="The server's public key, such as 'ssh-ed25519 AAAA…'. A test shows it when this is empty.",
        validators=[RegexValidator(r"^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}\Z", "It reads '<type> <base64>'.")],
    )
    export_path = forms.CharField(
        max_length=500, validators=[_check_path], help_text="The folder that the ERP takes orders from."
    )
    ack_path = forms.CharField(
        label="Answer path",
        required=False,
        max_length=500,
        validators=[_check_path],
        help_text="The folder that the ERP puts its answers into. Empty: this ERP does not answer.",
    )
    atomic_write = forms.BooleanField(
        required=False,
        initial=True,
        help_text="Write under a temporary name, then rename. Without it an order may arrive half written or twice.",
    )
    temp_name = forms.CharField(
        label="Temporary name",
        initial="{name}.tmp",
        max_length=60,
        help_text="{name} stands for the final one.",
        validators=[
            RegexValidator(r"^(?!\{name\}\Z)[A-Za-z0-9._-]*\{name\}[A-Za-z0-9._-]*\Z", "It reads '{name}.tmp'.")
        ],
    )
    timeout_s = forms.IntegerField(
        label="Timeout (seconds)",
        initial=30,
        min_value=1,
        max_value=300,
        help_text="How long the server may be silent.",
    )
    ack_timeout_h = forms.IntegerField(
        label="Answer due after (hours)",
        initial=24,
        min_value=1,
        max_value=720,
        help_text="A missing answer is overdue then.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("mode") == "sftp":
            for name in ("host", "username"):
                if not cleaned.get(name):
                    self.add_error(name, "An SFTP server needs it.")
            if not cleaned.get("password") and not cleaned.get("private_key"):
                self.add_error("password", "Set a password or a private key.")
        return cleaned


@dataclass(frozen=True, kw_only=True, slots=True)
class DropzoneSettings:
    """`place` names the dropzone for people and for the journal: a file staged in one place is not in another.
    `owner` is who may use a session again; without one, none is kept. `ends_at` is when every session is cut."""

    place: str
    export_path: str
    ack_path: str
    atomic_write: bool
    temp_name: str
    answer_due: timedelta | None
    root: str
    target: SFTPTarget | None
    owner: Owner | None
    ends_at: float

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "DropzoneSettings":
        """`config` as the form cleaned it. A connection's config always names the `root` of its organization;
        without one, code calls the connector by itself, and paths are the machine's own."""
        target = _target(config) if config["mode"] == "sftp" else None
        root = config.get("root") or "/"
        return cls(
            place=f"sftp://{target.username}@{target.host}:{target.port}" if target else f"file://{root}",
            export_path=config["export_path"],
            ack_path=config["ack_path"],
            atomic_write=config["atomic_write"],
            temp_name=config["temp_name"],
            answer_due=timedelta(hours=config["ack_timeout_h"]) if config["ack_path"] else None,
            root=root,
            target=target,
            owner=_owner(config),
            ends_at=config.get("ends_at", math.inf),
        )

    def temporary_name(self, filename: str) -> str:
        return self.temp_name.replace("{name}", filename)

    def final_name(self, temporary: str) -> str | None:
        """None for what is no temporary name."""
        before, _, behind = self.temp_name.partition("{name}")
        name = temporary.removeprefix(before).removesuffix(behind)
        return name if name and self.temporary_name(name) == temporary else None

    @contextmanager
    def open(self) -> Iterator[Dropzone]:
        """A session with the dropzone, one that was kept where there is one. Raises `ConnectorError`."""
        if self.target and self.owner:
            key = Key(owner=self.owner, target=self.target)
            with sessions.borrowed(key, idle_s=settings.SFTP_IDLE_S, ends_at=self.ends_at) as session:
                yield SFTPDropzone(session)
        else:
            with self.connect() as dropzone:
                yield dropzone

    def connect(self, steps: Steps | None = None) -> Dropzone:
        """A session that nobody had before and nobody gets afterwards. Raises `ConnectorError`."""
        if self.target is None:
            return LocalDropzone(self.root)
        return SFTPDropzone(SFTPSession(self.target, steps=steps, ends_at=self.ends_at))


def _owner(config: Mapping[str, Any]) -> Owner | None:
    if "connection_id" not in config:
        return None
    return Owner(connection_id=config["connection_id"], revision=config["revision"])


def _target(config: Mapping[str, Any]) -> SFTPTarget:
    return SFTPTarget(
        host=config["host"],
        port=config["port"],
        username=config["username"],
        password=config["password"] or None,
        private_key=config["private_key"] or None,
        passphrase=config["passphrase"] or None,
        host_key=config["host_key"],
        timeout_s=config["timeout_s"],
        allowed_networks=settings.DROPZONE_ALLOWED_NETWORKS,
    )
