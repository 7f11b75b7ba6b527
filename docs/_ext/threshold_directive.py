"""The directive `thresholds`: what may be set under [tool.gradreach.thresholds], as the rules declare it."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from gradreach.facts.legacy_thresholds import Threshold, listed


class Thresholds(SphinxDirective):
    """A definition list: the key with its default and range, what it means, the rules that it moves."""

    def run(self) -> list[nodes.Node]:
        return [nodes.definition_list("", *map(_of, listed()))]


def _of(threshold: Threshold) -> nodes.definition_list_item:
    told = f" = {threshold.default:g}, from {threshold.low:g} to {threshold.high:g}"
    term = nodes.term("", "", nodes.literal(text=threshold.key), nodes.Text(told))
    meaning = nodes.paragraph(text=f"{threshold.meaning} ({', '.join(threshold.codes)})")
    return nodes.definition_list_item("", term, nodes.definition("", meaning))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("thresholds", Thresholds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
