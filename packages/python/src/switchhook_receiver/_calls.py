"""Which legs are one call: a real call is several legs with a ``call_id`` each, and no single field links them all."""

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from ._json import as_object, as_time, as_word, letters

_WITHIN_MS = 60_000
#: How many calls of one caller are looked at that may be one, and on how many lines.
_MOST_ALIKE = 8
_MOST_LINES = 8
#: Shorter numbers are extensions, which many have; before the last eight may stand a country code or a trunk's zero.
_FEWEST_DIGITS = 7
_MOST_DIGITS = 8


@dataclass(frozen=True)
class CallOf:
    """What is known about the call of an event."""

    #: The call's key: the id of the first of its legs that was heard of.
    key: str
    #: Keys that were given before and mean this call from now on: merge what was made of them.
    merged: List[str] = field(default_factory=list)
    #: Keys of other calls that may be this one: no id says so, but caller and line are the same and they began within
    #: 60 seconds. They are not merged: somebody may have called twice.
    possibly: List[str] = field(default_factory=list)


@dataclass
class _Call:
    begun: int
    legs: List[str] = field(default_factory=list)
    caller: Optional[str] = None


@dataclass
class _Likeness:
    caller: str
    lines: List[str]
    began_at: int
    direction: Optional[str]

    def may_be_one_call_with(self, other: "_Likeness") -> bool:
        agree = not self.direction or not other.direction or self.direction == other.direction
        is_near = abs(self.began_at - other.began_at) <= _WITHIN_MS
        return agree and is_near and any(line in other.lines for line in self.lines)


class Calls:
    """Knows which legs belong together. Bounded: the calls that were quiet for longest are forgotten.

    Not for several threads at once.
    """

    def __init__(self, max_legs: int = 100_000) -> None:
        self._max_legs = max(max_legs, 4)
        self._call_of: Dict[str, str] = {}
        # In the order in which they were heard of: the first was quiet for longest.
        self._calls: "OrderedDict[str, _Call]" = OrderedDict()
        self._callers: Dict[str, List[Tuple[str, _Likeness]]] = {}
        self._heard = 0

    def call_of(self, event: Mapping[str, Any]) -> Optional[CallOf]:
        """The call that an event is about, or ``None`` if it has none of the four ids.

        It is the union over ``call_id``, ``master_call_id``, ``operator_call_id`` and ``entry_point_call_id``.
        """
        names = ("call_id", "master_call_id", "operator_call_id", "entry_point_call_id")
        # Real traffic writes an absent id as null, some of it as 0.
        legs = _distinct(leg for leg in (as_word(event.get(name)) for name in names) if leg and leg != "0")
        if not legs:
            return None
        known = _distinct(self._call_of[leg] for leg in legs if leg in self._call_of)
        known.sort(key=lambda key: self._calls[key].begun)
        key, merged = (known[0], known[1:]) if known else (legs[0], [])
        self._hear_of(key, legs, merged)
        likeness = _likeness_of(event)
        possibly = self._possibly(key, likeness) if likeness else []
        self._forget_the_quietest()
        return CallOf(key, merged, possibly)

    def _hear_of(self, key: str, legs: List[str], merged: List[str]) -> None:
        self._heard += 1
        call = self._calls.setdefault(key, _Call(begun=self._heard))
        for other in merged:
            was = self._calls.pop(other)
            self._forget_caller(other, was.caller)
            for leg in was.legs:
                self._take(call, key, leg)
        for leg in legs:
            if leg not in self._call_of:
                self._take(call, key, leg)
        self._calls.move_to_end(key)

    def _take(self, call: _Call, key: str, leg: str) -> None:
        self._call_of[leg] = key
        call.legs.append(leg)

    def _possibly(self, key: str, likeness: _Likeness) -> List[str]:
        """Other calls that may be this one; notes what is known of this."""
        of = self._callers.get(likeness.caller, [])
        others = [other for other, like in of if other != key and like.may_be_one_call_with(likeness)]
        self._note(key, likeness)
        return others

    def _note(self, key: str, likeness: _Likeness) -> None:
        """Of a call's legs the first tells when it began; the lines of all are its."""
        call = self._calls[key]
        call.caller = call.caller or likeness.caller
        if call.caller != likeness.caller:
            return
        of = self._callers.setdefault(likeness.caller, [])
        known = next((like for other, like in of if other == key), None)
        if known:
            known.lines = _distinct(known.lines + likeness.lines)[:_MOST_LINES]
            return
        of.append((key, likeness))
        del of[:-_MOST_ALIKE]

    def _forget_caller(self, key: str, caller: Optional[str]) -> None:
        if caller is None:
            return
        rest = [one for one in self._callers.get(caller, []) if one[0] != key]
        if rest:
            self._callers[caller] = rest
        else:
            self._callers.pop(caller, None)

    def _forget_the_quietest(self) -> None:
        """Never forgets the call that was heard of last, so a key that was just given is always known."""
        while len(self._call_of) > self._max_legs and len(self._calls) > 1:
            key, call = self._calls.popitem(last=False)
            self._forget_caller(key, call.caller)
            for leg in call.legs:
                del self._call_of[leg]


def _likeness_of(event: Mapping[str, Any]) -> Optional[_Likeness]:
    """By what a leg can be known as one of a call's, weaker than by an id."""
    contact = _first(event.get("contact"), "primary_phone", "phone", "phone_number", "phones")
    callers = [digits for digits in map(_digits, (event.get("external_number"), contact)) if digits]
    targets = (event.get(name) for name in ("target", "entry_point_target", "proxy_target"))
    numbers = [event.get("internal_number"), *(_first(target, "phone", "phone_number") for target in targets)]
    lines = _distinct(digits for digits in map(_digits, numbers) if digits)
    began_at = as_time(event.get("date_started"))
    if began_at is None:
        began_at = as_time(event.get("event_timestamp"))
    if not callers or not lines or began_at is None:
        return None
    direction = as_word(event.get("direction"))
    return _Likeness(callers[0], lines, began_at, direction and letters(direction))


def _first(value: Any, *names: str) -> Optional[str]:
    for name in names:
        member = as_object(value).get(name)
        for text in member if isinstance(member, list) else [member]:
            if isinstance(text, str):
                return text
    return None


def _digits(number: Any) -> Optional[str]:
    digits = re.sub(r"[^0-9]", "", number) if isinstance(number, str) else ""
    return digits[-_MOST_DIGITS:] if len(digits) >= _FEWEST_DIGITS else None


def _distinct(values: Iterable[str]) -> List[str]:
    return list(dict.fromkeys(values))
