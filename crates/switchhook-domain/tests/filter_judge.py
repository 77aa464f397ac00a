"""Judges events by filters, as docs/filters.md has it: an implementation of its own, to hold the server's against.

Reads lines of `[filter, event]`, both as JSON texts; answers each with `true` or `false`.
"""

import json
import sys
from decimal import Decimal

MISSING = object()


def load(text):
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def same(one, other):
    """Deep equality without Python's opinion that True is 1."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return one == other


def candidates(value):
    """The value and, of a list, its elements; nothing if it is missing."""
    if value is MISSING:
        return []
    return [value, *value] if isinstance(value, list) else [value]


def texts(operand):
    return operand if isinstance(operand, list) else [operand]


def ordered(value, operand, test):
    return any(type(one) is type(operand) and test(one, operand) for one in candidates(value))


def has_text(value, test):
    return any(isinstance(one, str) and test(one) for one in candidates(value))


def contains(value, operand):
    if isinstance(value, str):
        return isinstance(operand, str) and operand in value
    return isinstance(value, list) and any(same(one, operand) for one in value)


def listed(value, operands):
    return any(same(one, operand) for one in candidates(value) for operand in operands)


OPERATORS = {
    "$eq": lambda value, operand: listed(value, [operand]),
    "$neq": lambda value, operand: not listed(value, [operand]),
    "$gt": lambda value, operand: ordered(value, operand, lambda a, b: a > b),
    "$gte": lambda value, operand: ordered(value, operand, lambda a, b: a >= b),
    "$lt": lambda value, operand: ordered(value, operand, lambda a, b: a < b),
    "$lte": lambda value, operand: ordered(value, operand, lambda a, b: a <= b),
    "$in": listed,
    "$nin": lambda value, operands: not listed(value, operands),
    "$startsWith": lambda value, operand: has_text(value, lambda one: one.startswith(tuple(texts(operand)))),
    "$endsWith": lambda value, operand: has_text(value, lambda one: one.endswith(tuple(texts(operand)))),
    "$contains": contains,
    "$exist": lambda value, operand: (value is not MISSING) == operand,
    "$or": lambda value, conditions: any(holds(one, value) for one in conditions),
    "$and": lambda value, conditions: all(holds(one, value) for one in conditions),
    "$not": lambda value, condition: not holds(condition, value),
}


def members_hold(members, value):
    if isinstance(value, list):
        return any(members_hold(members, one) for one in value if isinstance(one, dict))
    there = value if isinstance(value, dict) else {}
    return all(holds(condition, there.get(name, MISSING)) for name, condition in members.items())


def holds(condition, value):
    if isinstance(condition, list):
        return any(holds(one, value) for one in condition)
    if not isinstance(condition, dict):
        return listed(value, [condition])
    operators = {name: operand for name, operand in condition.items() if name.startswith("$")}
    members = {name: operand for name, operand in condition.items() if not name.startswith("$")}
    tests = all(OPERATORS[name](value, operand) for name, operand in operators.items())
    return tests and (not members or members_hold(members, value))


for line in sys.stdin:
    condition, event = map(load, json.loads(line))
    print("true" if holds(condition, event) else "false")
