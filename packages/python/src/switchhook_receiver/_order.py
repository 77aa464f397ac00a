"""Order within a leg. Switchhook keeps it; Dialpad does not, and a ``ringing`` after its ``hangup`` leaves a record stuck."""

from collections import OrderedDict
from typing import Any, Mapping, Tuple

from ._json import as_time, as_word, letters

_MIDDLE = 2

#: How far a call is in a state, for events of the same instant; any other state is in the middle.
_STAGES = {
    letters(state): stage
    for stage, states in (
        (0, "calling queued ringing"),
        (1, "preanswer"),
        (3, "missed voicemail blocked"),
        (4, "hangup"),
        (5, "voicemail_uploaded recording admin_recording transcription call_transcription"),
        (6, "recap_summary recap_outcome recap_purposes recap_action_items ai_playbook csat pcsat dispositions postcall"),
    )
    for state in states.split()
}


class LegOrder:
    """Knows how far each leg is. Bounded: the legs that are known for longest are forgotten.

    Not for several threads at once.
    """

    def __init__(self, max_legs: int = 100_000) -> None:
        self._max_legs = max(max_legs, 1)
        self._passed: "OrderedDict[str, Tuple[int, int]]" = OrderedDict()

    def is_late(self, event: Mapping[str, Any]) -> bool:
        """Lets an event pass, and says whether a newer one of its leg passed before: then do not take its state over.

        An event without an id or a time is never late.
        """
        leg, at = as_word(event.get("call_id")), as_time(event.get("event_timestamp"))
        if leg is None or at is None:
            return False
        place = (at, _STAGES.get(letters(as_word(event.get("state")) or ""), _MIDDLE))
        if self._passed.get(leg, place) > place:
            return True
        self._passed[leg] = place
        while len(self._passed) > self._max_legs:
            self._passed.popitem(last=False)
        return False
