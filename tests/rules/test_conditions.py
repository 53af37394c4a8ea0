"""Three-valued truth: what is missing is unknown, and only true raises an alert."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.conditions import Combination, Comparison, Condition, Group, Operator, Truth, parameters
from rules.messages import alert_message
from rules.truth import compiled

T, F, U = True, False, None
# A parameter named after its truth: `t > 0` is true, `f > 0` is false, `u > 0` is unknown.
VALUES = {"t": 1.0, "f": -1.0}
LEAVES = {T: Comparison("t", Operator.GT, 0), F: Comparison("f", Operator.GT, 0), U: Comparison("u", Operator.GT, 0)}

AND_TABLE = {(T, T): T, (T, U): U, (T, F): F, (U, T): U, (U, U): U, (U, F): F, (F, T): F, (F, U): F, (F, F): F}
OR_TABLE = {(T, T): T, (T, U): T, (T, F): T, (U, T): T, (U, U): U, (U, F): U, (F, T): T, (F, U): U, (F, F): F}


@pytest.mark.parametrize("pair", list(product((T, F, U), repeat=2)))
def test_truth_table_of_and(pair: tuple[Truth, Truth]) -> None:
    group = Group(Combination.AND, tuple(LEAVES[truth] for truth in pair))
    assert compiled(group)(VALUES) is AND_TABLE[pair]


@pytest.mark.parametrize("pair", list(product((T, F, U), repeat=2)))
def test_truth_table_of_or(pair: tuple[Truth, Truth]) -> None:
    group = Group(Combination.OR, tuple(LEAVES[truth] for truth in pair))
    assert compiled(group)(VALUES) is OR_TABLE[pair]


@pytest.mark.parametrize(
    ("operator", "below", "equal", "above"),
    [("gt", F, F, T), ("gte", F, T, T), ("lt", T, F, F), ("lte", T, T, F), ("eq", F, T, F), ("neq", T, F, T)],
)
def test_each_operator_below_at_and_above_its_threshold(operator: str, below: bool, equal: bool, above: bool) -> None:
    check = compiled(Comparison("temp", Operator(operator), 80))
    assert [check({"temp": value}) for value in (79.9, 80, 80.1)] == [below, equal, above]


@pytest.mark.parametrize("operator", list(Operator))
def test_a_parameter_that_never_arrived_is_unknown_to_every_operator(operator: Operator) -> None:
    assert compiled(Comparison("temp", operator, 80))({"other": 1.0}) is None


def test_a_group_of_one_is_its_only_condition() -> None:
    assert compiled(Group(Combination.AND, (LEAVES[T],)))(VALUES) is True
    assert compiled(Group(Combination.OR, (LEAVES[U],)))(VALUES) is None


def test_parameters_of_a_nested_tree() -> None:
    tree = Group(Combination.AND, (LEAVES[T], Group(Combination.OR, (LEAVES[F], LEAVES[U], LEAVES[T]))))
    assert parameters(tree) == {"t", "f", "u"}


def test_only_the_comparisons_that_made_the_tree_true_are_told() -> None:
    tree = Group(Combination.OR, (Group(Combination.AND, (LEAVES[T], LEAVES[F])), LEAVES[T], LEAVES[U]))
    assert alert_message(tree, VALUES, {}) == "T (1) exceeded threshold (0)"


def test_nothing_is_told_of_a_tree_that_is_not_true() -> None:
    assert alert_message(Group(Combination.AND, (LEAVES[T], LEAVES[U])), VALUES, {}) == ""


leaves = st.sampled_from(list(LEAVES.values()))
trees = st.recursive(
    leaves, lambda inner: st.builds(Group, st.sampled_from(Combination), st.lists(inner, min_size=1, max_size=4).map(tuple)), max_leaves=20
)


@given(trees)
def test_compiled_trees_agree_with_kleenes_definition(tree: Condition) -> None:
    """Unknown lies between false and true: AND is the least of its parts, OR the greatest."""
    rank = {F: 0, U: 1, T: 2}

    def defined(condition: Condition) -> Truth:
        if isinstance(condition, Comparison):
            return compiled(condition)(VALUES)
        parts = [defined(part) for part in condition.conditions]
        return (min if condition.operator is Combination.AND else max)(parts, key=lambda truth: rank[truth])

    assert compiled(tree)(VALUES) is defined(tree)
