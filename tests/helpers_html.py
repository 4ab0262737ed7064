"""Reading pages as a browser would: their elements, and whether anything in them leads elsewhere."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from typing import NamedTuple

from PIL import Image

VOID = {"meta", "img", "br", "link", "input", "hr"}
ATTRIBUTES = {
    *("lang", "charset", "content", "http-equiv", "name", "class", "id", "title", "src", "alt", "width", "height"),
    *("loading", "decoding", "role", "tabindex", "aria-label", "aria-labelledby", "scope"),
}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "h1", "h2", "h3", "p"),
    *("ul", "ol", "li", "figure", "figcaption", "span", "img", "bdi", "q", "strong", "pre", "code", "dl", "div", "dt"),
    *("dd", "table", "tr", "th", "td", "tbody", "caption"),
}


class Element(NamedTuple):
    name: str
    attributes: dict[str, str]
    text: list[str]
    inside: tuple[Element, ...]

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()


class Page(HTMLParser):
    """The elements of a page, in order; whatever is not well-formed, or of a kind that no page has, is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        assert tag in ELEMENTS, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES, attrs
        element = Element(tag, {name: value or "" for name, value in attrs}, [], tuple(self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop().name == tag

    def handle_data(self, data):
        for element in self._open:
            element.text.append(data)

    def all(self, name: str, css: str = "", inside: Element | None = None) -> list[Element]:
        return [
            one
            for one in self.elements
            if one.name == name and (not css or css in one.classes) and (inside is None or inside in one.inside)
        ]

    def texts(self, name: str, css: str = "", inside: Element | None = None) -> list[str]:
        return [" ".join("".join(one.text).split()) for one in self.all(name, css, inside)]

    def pictures(self, inside: Element | None = None) -> list[Image.Image]:
        return [decoded(one.attributes["src"]) for one in self.all("img", inside=inside)]

    @property
    def code(self) -> list[str]:
        """The command line and the Python."""
        return ["".join(one.text) for one in self.all("code")]


def decoded(address: str) -> Image.Image:
    kind, _, data = address.partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as image:
        image.load()
        return image


def require_contained(html: str) -> None:
    """Require that a page leads nowhere, and allows itself only its own style."""
    page = Page(html)
    for element in page.elements:
        for name in ("src", "href", "action"):
            assert element.attributes.get(name, "data:").startswith("data:")
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert not re.search(r"url\(|@import|//", style)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [one.attributes["content"] for one in page.all("meta") if "http-equiv" in one.attributes]
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
