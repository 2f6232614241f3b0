"""How a connection describes its dropzone, and what is wrong with a description."""

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from connectors.dropzones.server_input import DEFAULT_PORT, read_dropzone
from connectors.network.host_input import without_password
from connectors.types.config_form import ConfigForm, Reading
from orderflow.fields.number_fields import WholeNumberField

SECRET_FIELDS = frozenset({"password", "private_key", "passphrase"})
SERVER_FIELDS = ("mode", "host", "port")
REQUIRED = {"required": "An SFTP server needs it."}


def _check_path(value: str) -> None:
    if ".." in PurePosixPath(value).parts or re.search(r"[\x00-\x1f\x7f]", value):
        raise forms.ValidationError("A path has no '..' and no control characters.")


class _HostField(forms.CharField):
    def prepare_value(self, value: Any) -> Any:
        return without_password(value) if isinstance(value, str) else value


class _HostKeyField(forms.CharField):
    def prepare_value(self, value: Any) -> Any:
        """A private key that was pasted here by mistake is not shown again."""
        return "" if isinstance(value, str) and "PRIVATE" in value.upper() else value


class DropzoneForm(ConfigForm):
    needed_when = dict.fromkeys(
        ("host", "port", "username", "password", "private_key", "passphrase", "host_key", "timeout_s"), ("mode", "sftp")
    )

    required_when_needed = frozenset({"host", "username"})

    mode = forms.ChoiceField(
        choices=[("sftp", "SFTP server"), ("filesystem", "Folder on this machine")],
        help_text="Where the ERP picks its orders up.",
    )
    host = _HostField(
        required=False,
        max_length=253,
        help_text="Name or address of the SFTP server.",
        error_messages=REQUIRED,
    )
    port = WholeNumberField(
        required=False,
        initial=DEFAULT_PORT,
        min_value=1,
        max_value=65535,
        help_text="22 unless its operator says otherwise.",
    )
    username = forms.CharField(
        required=False,
        max_length=120,
        help_text="As the server's operator gave it to you.",
        error_messages=REQUIRED,
    )
    password = forms.CharField(
        required=False, strip=False, widget=forms.PasswordInput, help_text="Or leave it empty and use a private key."
    )
    private_key = forms.CharField(
        required=False,
        widget=forms.Textarea,
        help_text="Ed25519, ECDSA or RSA, in OpenSSH or PEM form, with its first and last line.",
    )
    passphrase = forms.CharField(
        required=False, strip=False, widget=forms.PasswordInput, help_text="Only if the private key has one."
    )
    host_key = _HostKeyField(
        required=False,
        widget=forms.Textarea({"rows": 3, "spellcheck": "false"}),
        help_text="What the server proves itself with: the output of ssh-keyscan, a line 'ssh-ed25519 AAAA…' or a "
        "fingerprint 'SHA256:…'. Several keys are all accepted. Leave it empty: the test shows the key and asks you "
        "to accept it.",
    )
    export_path = forms.CharField(
        label="Folder for orders",
        max_length=500,
        validators=[_check_path],
        help_text="The folder that the ERP takes orders from.",
    )
    ack_path = forms.CharField(
        label="Folder for answers",
        required=False,
        max_length=500,
        validators=[_check_path],
        help_text="The folder that the ERP puts its answers into. Empty: this ERP does not answer.",
    )
    atomic_write = forms.BooleanField(
        label="Write, then rename",
        required=False,
        initial=True,
        help_text="Write under a temporary name, then rename. Without it an order may arrive half written or twice.",
    )
    temp_name = forms.CharField(
        label="Temporary name",
        initial="{name}.tmp",
        max_length=60,
        help_text="{name} stands for the final one. The ERP must not pick up what has this form.",
        validators=[
            RegexValidator(r"^(?!\{name\}\Z)[A-Za-z0-9._-]*\{name\}[A-Za-z0-9._-]*\Z", "It reads '{name}.tmp'.")
        ],
    )
    timeout_s = WholeNumberField(
        label="Timeout (seconds)",
        initial=30,
        min_value=1,
        max_value=300,
        help_text="How long the server may be silent.",
    )
    ack_timeout_h = WholeNumberField(
        label="Answer due after (hours)",
        initial=24,
        min_value=1,
        max_value=720,
        help_text="A missing answer is overdue then.",
    )

    @classmethod
    def read(cls, config: Mapping[str, Any], entered: Collection[str]) -> Reading:
        return read_dropzone(config, entered)

    def clean_port(self) -> int:
        port = self.cleaned_data["port"]
        return DEFAULT_PORT if port is None else int(port)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("mode") == "sftp" and not cleaned.get("password") and not cleaned.get("private_key"):
            self.add_error("password", "Set a password or a private key.")
        return cleaned
