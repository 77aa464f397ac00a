"""Reading an event's JSON without changing a digit of an id."""

import json
import math
import re
from typing import Any, Dict, List, NoReturn, Optional, Tuple

from ._refusal import Refusal
from .events import DURATIONS

Members = Dict[str, Any]

#: Digits up to which a whole number is made an ``int``; converting takes longer than linear, and ids have 19.
_MOST_DIGITS = 400


class _Number(str):
    """A number as its text, until it is known whether it is an id."""


def read_object(body: bytes, accept_any_json: bool) -> Tuple[str, Optional[Members]]:
    """One JSON object out of its bytes: its text, and its members with ids as text.

    JSON that is no object has none, where any is accepted.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal("not_utf8", f"the body is not UTF-8: byte {error.start} (counted from 0)") from None
    if not text.strip(" \t\r\n"):
        raise Refusal("empty", "the body is empty; an event is one JSON object")
    members = _parse(text)
    if not isinstance(members, dict):
        if accept_any_json:
            return text, None
        raise Refusal("not_an_object", "the body is JSON, but not an object; an event is one JSON object")
    _name_durations(members)
    return text, members


def _parse(text: str) -> Any:
    if text.startswith("\ufeff"):
        raise Refusal("not_json", "the body is not JSON: a byte order mark stands before it")
    try:
        value = json.loads(
            text,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_members,
        )
        return _value("", value)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Refusal("not_json", f"the body is not JSON: {place}: {error.msg}") from None
    except RecursionError:
        raise Refusal("not_json", "the body is not JSON that can be read: it is nested too deeply") from None


def _refuse_constant(word: str) -> NoReturn:
    raise Refusal("not_json", f"the body is not JSON: it has no number {word}")


def _members(pairs: List[Tuple[str, Any]]) -> Members:
    return {name: _value(name, value) for name, value in pairs}


def _value(member: str, value: Any) -> Any:
    """What the value of a member is; the values of objects inside it are done already."""
    if isinstance(value, _Number):
        return str(value) if _is_id(member) else _number(value)
    if isinstance(value, list) and value:
        return [_value(member, element) for element in value]
    return value


def _is_id(member: str) -> bool:
    return member == "id" or member.endswith(("_id", "_ids"))


def _number(text: str) -> Any:
    if re.fullmatch(r"-?[0-9]+", text):
        return int(text) if len(text) <= _MOST_DIGITS else str(text)
    return float(text)


def _name_durations(members: Members) -> None:
    """Gives each duration a second name, which says that it is in milliseconds."""
    recordings = members.get("recording_details")
    for one in [members, *(recordings if isinstance(recordings, list) else [recordings])]:
        if not isinstance(one, dict):
            continue
        for name in DURATIONS:
            if name in one:
                is_number = isinstance(one[name], (int, float)) and not isinstance(one[name], bool)
                one[name + "_ms"] = one[name] if is_number else None


def as_word(value: Any) -> Optional[str]:
    """An id or a word: text that is not empty."""
    return value if isinstance(value, str) and value else None


def as_time(value: Any) -> Optional[int]:
    """A time in whole milliseconds, as a number or as text of digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)) and math.isfinite(value):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,19}", value):
        return int(value)
    return None


def as_object(value: Any) -> Members:
    """An object, or one without members: an empty one is how an absent one is sent."""
    return value if isinstance(value, dict) else {}


def same_word(one: Any, other: str) -> bool:
    """Whether two words say the same: case, ``_`` and ``-`` do not count, as genuine events are not of one mind about them."""
    return isinstance(one, str) and letters(one) == letters(other)


def letters(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()
