"""A page as people see it: on a wide and on a narrow screen, light and dark."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page

from tests.servers.missing import not_installed

AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"
HEIGHT = 900
WIDE, NARROW = 1400, 390
Scheme = Literal["light", "dark"]


def each_look(page: Page) -> Iterator[str]:
    """By its name. The page is wide and light again at the end."""
    schemes: tuple[Scheme, ...] = ("dark", "light")
    # Off the button that was clicked last, which would be in its hover's colours.
    page.mouse.move(0, 0)
    for width, scheme in product((NARROW, WIDE), schemes):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.evaluate("scheme => Alpine.$data(document.documentElement).switchTheme(scheme)", scheme)
        yield f"{width}-{scheme}"


def serious_faults(page: Page) -> list[str]:
    """What axe finds that keeps people from using the page as it looks just now."""
    if not AXE.is_file():
        not_installed("axe-core", f"npm ci --prefix {Path(__file__).parent}")
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [_told(fault) for fault in found["violations"] if fault["impact"] in ("serious", "critical")]


def _told(fault: dict[str, Any]) -> str:
    places = "\n".join(f"    {node['html']}\n      {node['failureSummary']}" for node in fault["nodes"][:5])
    return f"{fault['id']}, {len(fault['nodes'])} times: {fault['help']}\n{places}"


def overflow(page: Page) -> int:
    """By how many pixels one has to scroll sideways."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wider


def cut_off(page: Page) -> list[str]:
    """What of a list's cells lies beside the part of the screen that the list has."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("#result_list :is(td, th) *")]
            .filter(each => each.getClientRects().length && each.textContent.trim())
            .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth)
            .map(each => each.textContent.trim())"""
    )
    return found


@dataclass(kw_only=True)
class Gallery:
    """Looks at pages in every look, and keeps the pictures in `folder`; `for_documents` has those that documents show,
    wide and light, if somebody asked for them."""

    folder: Path
    for_documents: Path | None

    def look_at(self, page: Page, name: str) -> None:
        """Fails for a serious fault of accessibility and for a page that is wider than the screen."""
        for look in each_look(page):
            _take(page, self.folder / f"{name}-{look}.png")
            faults = serious_faults(page)
            assert not faults, f"{name} {look}:\n" + "\n".join(faults)
            assert overflow(page) <= 0, f"{name} {look} is {overflow(page)} pixels wider than the screen"

    def show(self, page: Page, name: str, *, height: int = HEIGHT) -> None:
        """Keep the page as it is just now for the documents. The test is marked with `pictures`."""
        if self.for_documents:
            page.evaluate("scrollTo(0, 0)")
            _take(page, self.for_documents / f"{name}.png", height=height)


def _take(page: Page, path: Path, *, height: int | None = None) -> None:
    """The whole page unless told otherwise, on a screen that is as high: bars keep to its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    screen = page.viewport_size
    assert screen
    whole: int = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": screen["width"], "height": height or whole})
    page.screenshot(path=path)
    page.set_viewport_size(screen)
