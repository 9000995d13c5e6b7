"""SCIM filters and paths: text to AST, AST bound to a resource type, evaluation.

    evaluate(bind(parse_filter('userName sw "ann"'), USER), document)

Rule: whatever reads a filter (here or in SQL) is total over the AST.
"""

from bridge.core.filters.ast import (
    And,
    AttributePath,
    BoundFilter,
    Compare,
    Comparison,
    FilterNode,
    Node,
    Not,
    Or,
    Path,
    Present,
    Within,
)
from bridge.core.filters.binding import bind, bind_within
from bridge.core.filters.evaluation import evaluate, evaluate_entry
from bridge.core.filters.grammar import parse_filter, parse_path

__all__ = [
    "And",
    "AttributePath",
    "BoundFilter",
    "Compare",
    "Comparison",
    "FilterNode",
    "Node",
    "Not",
    "Or",
    "Path",
    "Present",
    "Within",
    "bind",
    "bind_within",
    "evaluate",
    "evaluate_entry",
    "parse_filter",
    "parse_path",
]
