"""Three directives: `experiment-figure` draws what an experiment measured, `experiment-claims` sets it beside theory,
and `experiment-index` shows all of them small.

They read docs/results/NAME.json, which `gradreach experiments NAME --out docs/results` wrote.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from gradreach.experiments import claim_text
from gradreach.experiments.drawing import write
from gradreach.experiments.experiment import Experiment, Run, load
from gradreach.experiments.registry import experiments


class OfExperiments(SphinxDirective):
    """What all need: an experiment with its recorded run, and the pictures of a figure of it."""

    def recorded(self, name: str) -> tuple[Experiment[Any, Any], Run[Any]]:
        path = Path(self.env.srcdir) / "results" / f"{name}.json"
        if not path.is_file():
            raise self.error(f"{path} is missing: gradreach experiments {name} --out {path.parent}")
        self.env.note_dependency(str(path))
        found = experiments()[name]
        return found, load(found, path)

    def drawn(self, name: str, figure: str, alt: str) -> list[nodes.Node]:
        """The figure as two images, of which the light or the dark one is shown."""
        found, run = self.recorded(name)
        images: list[nodes.Node] = []
        for theme in ("light", "dark"):
            path = Path(self.env.srcdir) / "_drawn" / f"{figure}-{theme}.svg"
            write(found.figures[figure], run.measured, path, theme)
            images.append(nodes.image(uri=f"/_drawn/{path.name}", alt=alt, classes=[f"only-{theme}"]))
        return images


class ExperimentFigure(OfExperiments):
    """`{experiment-figure} NAME FIGURE`; its content is the caption, a sentence that says what to see."""

    required_arguments = 2
    option_spec = {"alt": directives.unchanged_required}  # noqa: RUF012
    has_content = True

    def run(self) -> list[nodes.Node]:
        name, figure = self.arguments
        found = experiments()[name]
        if figure not in found.figures:
            raise self.error(f"{name} has no figure {figure!r}, but {', '.join(found.figures)}")
        self.assert_has_content()
        caption, messages = self.state.inline_text(" ".join(self.content), self.lineno)
        whole = nodes.figure("", classes=["experiment"])
        alt = self.options.get("alt", "".join(each.astext() for each in caption))
        whole += self.drawn(name, figure, alt)
        whole += nodes.caption("", "", *caption)
        self.set_source_info(whole)
        return [whole, *messages]


class ExperimentClaims(OfExperiments):
    """`{experiment-claims} NAME`: predicted, measured, the range and where it comes from, when and on what."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        found, run = self.recorded(self.arguments[0])
        claims = found.claims(run.measured)
        header = ["Claim", "Predicted", "Measured", "Holds if", "Holds"]
        if any(claim.published for claim in claims):
            header.append("Published")
        rows = [[*claim_text.row(claim), *([claim.published] if "Published" in header else [])] for claim in claims]
        return [_table(header, rows), nodes.paragraph(text=claim_text.provenance(run), classes=["provenance"])]


class ExperimentIndex(OfExperiments):
    """`{experiment-index}`: each experiment by its first figure and its title, a link to its page."""

    def run(self) -> list[nodes.Node]:
        taught = sorted(experiments().values(), key=lambda each: each.lesson)
        return [nodes.container("", *map(self._link, taught), classes=["thumbnails"])]

    def _link(self, found: Experiment[Any, Any]) -> nodes.Node:
        images = self.drawn(found.name, next(iter(found.figures)), "")
        link = nodes.reference("", "", *images, nodes.inline(text=found.title), refuri=f"{found.name}.html")
        return nodes.paragraph("", "", link)


def _table(header: list[str], rows: list[list[str]]) -> nodes.container:
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.container("", nodes.table("", group, classes=["claims"]), classes=["table-wrapper"])


def _row(cells: list[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph(text=cell)) for cell in cells))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("experiment-figure", ExperimentFigure)
    app.add_directive("experiment-claims", ExperimentClaims)
    app.add_directive("experiment-index", ExperimentIndex)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
