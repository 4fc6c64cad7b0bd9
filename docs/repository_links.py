"""Files of the repository that the pages link to, such as model cards and pictures, become part of the site.

In the repository a page links to ../../calib/data/MODEL_CARD.md, as a reader of the repository needs it. On
the site that file stands under repository/, and links to it lead there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(\.\./\.\./([\w./-]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds every file that a page links to outside the pages."""
    texts = [page.content_string for page in files.documentation_pages()]
    for name in sorted({match[1] for text in texts for match in LINK.finditer(text)}):
        content = (ROOT / name).read_bytes()
        text = content.decode() if name.endswith(".md") else content
        files.append(File.generated(config, f"repository/{name}", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Leads links to where the files stand on the site; of a card's links to files that are not on it, the
    names remain."""
    if page.file.src_uri.startswith("repository/"):
        return re.sub(r"\[([^]]+)\]\((?!https?:|#)[^)]+\)", r"\1", markdown)
    return LINK.sub(r"](repository/\1)", markdown)
