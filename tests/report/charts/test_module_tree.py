"""The module tree: folded where alike, bounded in size, with every finding at its module."""

import pytest

from gradreach.record.schema import Finding
from gradreach.report.charts.module_tree import MOST, Node, bar, tree
from tests.records.parts import depth_look
from tests.records.runs import deep


def found(module: str, severity: str = "error") -> Finding:
    return Finding("GR201", severity, "t", {"module": module}, {}, "b")  # type: ignore[arg-type]


def all_of(node: Node) -> list[Node]:
    return [node, *(each for child in node.children for each in all_of(child))]


def at(node: Node, *names: str) -> Node:
    for name in names:
        node = next(child for child in node.children if child.name == name)
    return node


def test_a_list_of_alike_modules_is_one_node_with_its_range() -> None:
    root = tree(deep().looks[0].depth, ())
    blocks = at(root, "net", "blocks.0–11")
    assert blocks.modules == 36
    assert (blocks.low, blocks.high) == (1e-14, 1e-3)
    assert [child.name for child in blocks.children] == ["attn.q", "norm", "ff"]
    assert root.modules == 37


def test_a_finding_parts_its_block_from_the_others_and_colours_what_holds_it() -> None:
    root = tree(deep().looks[0].depth, [found("net.blocks.4.ff"), found("net.head", "info")])
    blocks = at(root, "net", "blocks")
    assert [child.name for child in blocks.children] == ["0–3", "4", "5–11"]
    assert at(blocks, "4", "ff").findings == (0,)
    assert [node.severity for node in (root, blocks, at(blocks, "4"), at(blocks, "0–3"))] == ["error"] * 3 + [None]
    assert at(root, "net", "head").severity == "info"


def test_a_finding_of_a_part_that_was_not_seen_stands_at_the_nearest_module_above() -> None:
    root = tree([depth_look("model.rnn", "RNN", 0)], [found("model.rnn.cell"), found("other")])
    assert at(root, "model.rnn").findings == (0,)
    assert root.findings == (1,)


@pytest.mark.slow(3, "sorts twenty thousand modules")
def test_twenty_thousand_modules_stay_few_and_what_is_left_out_is_counted() -> None:
    looks = [depth_look(f"net.b{i // 20}.l{i}", "Linear", i) for i in range(20_000)]
    root = tree(looks, [found("net.b777.l15555")])
    kept = all_of(root)
    assert len(kept) <= MOST + 1
    assert any(node.findings for node in kept)
    leaves = sum(node.modules for node in kept if not node.children and not node.hidden)
    assert leaves + sum(node.hidden for node in kept) == root.modules == 20_000


def test_a_path_of_any_depth_is_one_of_bounded_depth() -> None:
    root = tree([depth_look(".".join("a" * 5000), "Linear", 0)], ())
    assert root.modules == 1


def test_a_bar_spans_the_range_within_that_of_the_whole() -> None:
    root = tree([depth_look("a", "Linear", 0, 1e-4), depth_look("b", "Linear", 1, 1e-2)], ())
    assert bar(root, root) == (0.0, 100.0)
    assert bar(at(root, "a"), root) == (0.0, 0.0)
    assert bar(at(root, "b"), root) == (100.0, 0.0)
    unseen = tree([depth_look("a", "Linear", 0, None)], ())
    assert bar(unseen, unseen) is None
