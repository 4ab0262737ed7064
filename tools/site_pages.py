"""A hook of MkDocs: the site also has the pages that lie outside docs/, and links between all of them hold."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# Where a file of the repository is in the site.
OUTSIDE = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside of docs/."""
    for source, target in OUTSIDE.items():
        files.append(File.generated(config, target, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Make links as they are right in the repository right in the site."""
    target = page.file.src_uri
    source = next((path for path, there in OUTSIDE.items() if there == target), f"docs/{target}")

    def in_site(link: re.Match[str]) -> str:
        label, path, anchor = link[1], link[2], link[3] or ""
        there = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if there in OUTSIDE:
            there = OUTSIDE[there]
        elif there.startswith("docs/"):
            there = there.removeprefix("docs/")
        elif (ROOT / there).exists():
            return label  # a file that only the repository has
        else:
            return link[0]
        return f"[{label}]({posixpath.relpath(there, posixpath.dirname(target) or '.')}{anchor})"

    return _LINK.sub(in_site, markdown)
