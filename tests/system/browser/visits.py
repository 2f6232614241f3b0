"""Who looks at the admin in the browser, and what no page may do meanwhile."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from tests.system.browser.looks import HEIGHT, WIDE


@dataclass(kw_only=True)
class Visit:
    """`strangers` are requests to another host, `troubles` what the page's scripts complained of."""

    page: Page
    host: str
    strangers: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.context.on("request", self._note_request)
        self.page.context.on("weberror", lambda error: self.troubles.append(str(error.error)))
        self.page.context.on("console", self._note_console)

    def end(self) -> None:
        self.page.context.close()
        assert not self.strangers, f"loaded from another host: {self.strangers}"
        assert not self.troubles, f"scripts complained: {self.troubles}"

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.netloc != self.host:
            self.strangers.append(request.url)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.troubles.append(message.text)


def visit(browser: Browser, url: str, person: User, *, locale: str = "en-US", timezone_id: str | None = None) -> Visit:
    """Logged in, wide and light."""
    client = Client()
    client.force_login(person)
    context = browser.new_context(
        base_url=url,
        viewport={"width": WIDE, "height": HEIGHT},
        color_scheme="light",
        reduced_motion="reduce",
        locale=locale,
        timezone_id=timezone_id,
    )
    context.add_cookies([{"name": name, "value": cookie.value, "url": url} for name, cookie in client.cookies.items()])
    visited = Visit(page=context.new_page(), host=urlsplit(url).netloc)
    visited.watch()
    return visited
