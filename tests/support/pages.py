"""HTML pages of ours, read as strictly as a test wishes."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """A page with its tags, links, attributes and text; ``ids`` are in the order in which they come."""

    VOID = frozenset({"meta", "br", "wbr", "link", "img", "rect", "line", "path"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.named: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "xlink:href")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.named |= {one for name, value in attrs if name == "aria-labelledby" for one in (value or "").split()}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """As of SVG."""
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Everything is closed in its order."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """What is read."""
        if not self.open or self.open[-1] != "style":
            self.text += data

    def is_harmless(self) -> None:
        """Nothing runs, nothing is loaded, no link does more than to lead to a file beside it or to the web."""
        assert self.open == []
        assert not set(self.tags) & {
            "script",
            "img",
            "link",
            "iframe",
            "object",
            "embed",
            "form",
            "base",
            "image",
            "use",
        }
        assert not {name for name in self.attributes if name.startswith("on") or name == "style"}
        for link in self.links:
            assert re.match(r"#|https?://|ftp://", link) or (":" not in link and not link.startswith(("/", "\\"))), link
        assert not re.search(r"@import|url\((?!#)", self.html)
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08]", self.html)
        assert len(self.ids) == len(set(self.ids))
        assert self.named <= set(self.ids)
