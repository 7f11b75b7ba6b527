"""The directive `rules`: every rule with the text that `gradreach explain` prints."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from gradreach.report.explanation import Section, sections
from gradreach.rules.registry import RULES
from gradreach.rules.rule import Rule


class Rules(SphinxDirective):
    """One section a rule, its code as the anchor and as a label that other pages link to: `[GR101](#gr101)`."""

    def run(self) -> list[nodes.Node]:
        rules = [_of(rule) for rule in RULES.values()]
        for section in rules:
            self.state.document.note_explicit_target(section)
        return [*rules]


def _of(rule: Rule) -> nodes.section:
    severities = " or ".join(rule.severities)
    return nodes.section(
        "",
        nodes.title(text=f"{rule.code}: {rule.title}"),
        nodes.paragraph(text=f"Severity: {severities}."),
        *(node for section in sections(rule) for node in _part(section)),
        ids=[rule.code.lower()],
        names=[rule.code.lower()],
    )


def _part(section: Section) -> list[nodes.Node]:
    heading = nodes.rubric(text=section.heading)
    if section.formulas:
        text = "\n".join(section.paragraphs)
        return [heading, nodes.literal_block(text, text, language="text", classes=["formulas"])]
    paragraphs = [nodes.paragraph(text=text) for text in section.paragraphs]
    if section.items:
        return [heading, nodes.bullet_list("", *(nodes.list_item("", each) for each in paragraphs))]
    return [heading, *paragraphs]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("rules", Rules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
