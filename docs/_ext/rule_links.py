"""Each code of a rule that stands in the text of any page becomes a link to the rule's page."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from gradreach.rules.registry import RULES

_CODE = re.compile(rf"\b({'|'.join(RULES)})\b")
_STAYS = (nodes.reference, addnodes.pending_xref, nodes.title, nodes.literal, nodes.FixedTextElement, nodes.raw)
"""Where a code is part of a link already, of a title, or of what is typed."""


def link(code: str, text: str) -> addnodes.pending_xref:
    """A link to a rule's page."""
    inline = nodes.inline(text=text)
    return addnodes.pending_xref(
        "", inline, refdomain="std", reftype="doc", reftarget=f"/rules/{code.lower()}", refexplicit=True, refwarn=True
    )


class RuleLinks(SphinxTransform):
    default_priority = 700

    def apply(self, **_: Any) -> None:
        own = self.env.docname.removeprefix("rules/").upper()
        for text in list(self.document.findall(nodes.Text)):
            if _CODE.search(text) and not _stays(text):
                parts = _CODE.split(text)
                text.parent.replace(text, [_part(part, own) for part in parts if part])


def _stays(text: nodes.Text) -> bool:
    node = text.parent
    while node is not None and not isinstance(node, _STAYS):
        node = node.parent
    return node is not None


def _part(part: str, own: str) -> nodes.Node:
    return link(part, part) if part in RULES and part != own else nodes.Text(part)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_transform(RuleLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
