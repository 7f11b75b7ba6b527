"""One page a rule, written into docs/rules before Sphinx reads its sources, each a title and the directive `rule`.

`rule CODE` has the text that `gradreach explain` prints, its formulas typeset, and each remedy that a finding may name,
as code, with what came of its trials. `rules-under PREFIX` lists the rules whose codes begin with it. Each page
has its code as a label, `[GR101](#gr101)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from docutils import nodes
from formulas import typeset
from rule_links import link
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tried_remedies import Answer, Trial, answers

from gradreach.report.explanation import Section, sections
from gradreach.rules.registry import RULES
from gradreach.rules.rule import Rule

PAGE = """({label})=
# {code}: {title}

```{{rule}} {code}
```
"""


def write_pages(app: Sphinx) -> None:
    """Write what changed, and remove the page of a rule that is gone."""
    folder = Path(app.srcdir) / "rules"
    folder.mkdir(exist_ok=True)
    pages = {folder / f"{code.lower()}.md": _page(rule) for code, rule in RULES.items()}
    for path in set(folder.glob("*.md")) - set(pages):
        path.unlink()
    for path, text in pages.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _page(rule: Rule) -> str:
    return PAGE.format(label=rule.code.lower(), code=rule.code, title=rule.title)


class RuleText(SphinxDirective):
    """`{rule} CODE`: all that is known of a rule, the remedies as code below what is to be done."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        rule = RULES[self.arguments[0]]
        parts = {section.heading: _part(section) for section in sections(rule)}
        parts["What to do"] += _answers(answers(rule.code, Path(self.env.srcdir) / "remedies.md"))
        severities = nodes.paragraph(text=f"Severity: {' or '.join(rule.severities)}.")
        return [severities, *(node for part in parts.values() for node in part)]


class RulesUnder(SphinxDirective):
    """`{rules-under} PREFIX`: code and title as a link to the rule's page, and the first sentence that it says."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        rules = [rule for code, rule in RULES.items() if code.startswith(self.arguments[0])]
        return [nodes.definition_list("", *map(_entry, rules))]


def _entry(rule: Rule) -> nodes.definition_list_item:
    term = nodes.term("", "", link(rule.code, f"{rule.code} {rule.title}"))
    first = re.split(r"(?<=[.?!]) (?=[A-Z])", rule.explain.cause)[0]
    return nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", "", *_inline(first))))


def _part(section: Section) -> list[nodes.Node]:
    heading = _heading(section.heading)
    if section.formulas:
        return [heading, *(nodes.paragraph("", "", *typeset(each), classes=["formula"]) for each in section.paragraphs)]
    paragraphs = [nodes.paragraph("", "", *_inline(text)) for text in section.paragraphs]
    return [heading, _bullets(paragraphs)] if section.items else [heading, *paragraphs]


def _answers(given: Sequence[Answer]) -> list[nodes.Node]:
    if not given:
        return []
    whose = "As findings put it, each with the names and figures of its run:"
    return [nodes.paragraph(text=whose), nodes.definition_list("", *map(_answer, given), classes=["remedies"])]


def _answer(given: Answer) -> nodes.definition_list_item:
    does = nodes.term("", "", nodes.strong(text=given.remedy.id), *_inline(f": {given.remedy.why}."))
    told = nodes.definition(
        "",
        nodes.literal_block(given.remedy.do, given.remedy.do, language="python"),
        nodes.paragraph("", "", nodes.emphasis(text="Does not fit: "), *_inline(given.unfit)),
    )
    if given.trials:
        told += _bullets(map(_trial, given.trials))
    return nodes.definition_list_item("", does, told)


def _trial(trial: Trial) -> nodes.paragraph:
    text = f"Tried on: {trial.script}. The finding: {trial.then}; the loss {trial.before} before, {trial.after} after."
    return nodes.paragraph("", "", *_inline(text))


def _heading(text: str) -> nodes.rubric:
    return nodes.rubric(text=text, **{"heading-level": 2})


def _bullets(paragraphs: Iterable[nodes.Node]) -> nodes.bullet_list:
    return nodes.bullet_list("", *(nodes.list_item("", each) for each in paragraphs))


def _inline(text: str) -> list[nodes.Node]:
    """Text, and what stands between backticks as code."""
    parts = text.split("`")
    return [nodes.literal(text=part) if i % 2 else nodes.Text(part) for i, part in enumerate(parts) if part]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    app.add_directive("rule", RuleText)
    app.add_directive("rules-under", RulesUnder)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
