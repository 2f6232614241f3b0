"""B64: services other than Amazon's reject the checksums that boto3 sends by default."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils.module_loading import import_string

from orderflow.environment import server_urls
from tests.servers.s3 import old_s3


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_REQUEST_CHECKSUM_CALCULATION", raising=False)
    monkeypatch.delenv("AWS_RESPONSE_CHECKSUM_VALIDATION", raising=False)


def made(configured: dict[str, Any]) -> Any:
    return import_string(configured["BACKEND"])(**configured["OPTIONS"])


def test_documents_are_kept_by_a_service_that_knows_no_checksums() -> None:
    with old_s3() as server:
        storage = made(server_urls.storage("STORAGE_URL", "s3://bucket/site", endpoint=server.url))
        storage.save("exports/a.json", ContentFile(b'{"a": 1}'))
        assert server.objects == {"/bucket/site/exports/a.json": b'{"a": 1}'}
        with storage.open("exports/a.json") as kept:
            assert kept.read() == b'{"a": 1}'


def test_amazon_keeps_the_checksums() -> None:
    assert "client_config" not in server_urls.storage("STORAGE_URL", "s3://bucket", endpoint="")["OPTIONS"]
