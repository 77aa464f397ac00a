"""An event that was received: its text, which is the truth, and a typed view of it."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Optional, Tuple, Union

from ._json import Members, as_object, as_time, as_word, letters, read_object

#: For how long identical bytes count as a repeat where nothing else tells: 5 minutes.
BRIEF_SECONDS = 5 * 60

#: In the order in which shapes are tried: the members that every event of a kind has, even when they are null.
_SIGNS = (
    ("call", ("call_id", "state")),
    ("sms", ("from_number", "to_number")),
    ("agent_status", ("on_duty_status",)),
    ("contact", ("event", "contact")),
    ("changelog", ("action", "changed_by")),
)

#: Headers of any framework: something with items, or pairs of names and values, as text or as bytes.
HeadersLike = Union[Mapping[str, Any], Iterable[Tuple[Any, Any]]]


@dataclass(frozen=True)
class Labels:
    """What the headers of a delivery tell. Dialpad sends none of them. They are not signed: believe the payload first."""

    #: The event: the same however often and to whomever it is delivered.
    event_id: Optional[str] = None
    kind: Optional[str] = None
    #: The delivery: one event for one webhook.
    delivery_id: Optional[str] = None
    #: The number of the attempt at this delivery, counted from 1.
    attempt: Optional[int] = None

    @classmethod
    def of(cls, headers: Optional[HeadersLike]) -> "Labels":
        """Reads the labels. An id of other letters than ids have, or too long a one, is absent."""
        pairs = headers.items() if isinstance(headers, Mapping) or hasattr(headers, "items") else headers  # type: ignore
        found = {_text(name).lower(): _text(value).strip() for name, value in pairs or ()}
        word = letters(found.get("switchhook-event-kind", ""))
        attempt = found.get("switchhook-attempt", "")
        return cls(
            event_id=_id(found.get("switchhook-event-id")),
            kind=next((kind for kind, _ in _SIGNS if letters(kind) == word), None),
            delivery_id=_id(found.get("switchhook-delivery-id")),
            attempt=int(attempt) if re.fullmatch(r"[0-9]{1,9}", attempt) else None,
        )


@dataclass(frozen=True)
class Received:
    """An event as it was sent, its signature checked if the receiver has a secret."""

    #: Told by the event's shape, since the body carries no kind; else by its label.
    kind: Optional[str]
    #: The event: ids as text, and durations under a second name that ends in ``_ms``. Typed in ``events``.
    payload: Any
    #: The event's JSON, byte for byte.
    text: str
    #: The same for each repeat of this event. A ``~`` before it: only within five minutes.
    repeat_key: str
    labels: Labels = field(default_factory=Labels)

    @property
    def summary(self) -> str:
        """The event in a few words, for a log line: nothing that was said or written, no name or number of a person."""
        word = self._word
        if self.kind == "call":
            return f"{word('state')} {word('direction')} call {word('call_id')}"
        if self.kind == "sms":
            return f"{word('message_status')} {word('direction')} message {word('id')}"
        if self.kind == "agent_status":
            return f"agent is {word('on_duty_status')}"
        if self.kind == "contact":
            return f"contact {word('event')}"
        return word("action") if self.kind == "changelog" else "of no known kind"

    def _word(self, name: str) -> str:
        return re.sub(r"[^ -~]", "?", as_word(self.payload.get(name)) or "?")[:64]


def received(body: bytes, labels: Labels, accept_any_json: bool) -> Received:
    """Reads the bytes of an event, which were checked before."""
    text, read = read_object(body, accept_any_json)
    members = read or {}
    shapes = (kind for kind, signs in _SIGNS if all(sign in members for sign in signs))
    kind = next(shapes, labels.kind) if read is not None else None
    if labels.event_id is not None:
        key = _digest("id", labels.event_id, body)
    else:
        natural = _natural_key(kind, members)
        key = _digest(kind or "", *natural) if natural else "~" + _digest("bytes", body)
    return Received(kind=kind, payload=members, text=text, repeat_key=key, labels=labels)


def _natural_key(kind: Optional[str], event: Members) -> Optional[Tuple[str, str, str]]:
    """What tells the event from every other of its kind, if anything does."""
    at = as_time(event.get("event_timestamp"))
    if kind == "call":
        call_id = as_word(event.get("call_id"))
        if call_id is not None and at is not None:
            return call_id, as_word(event.get("state")) or "", str(at)
    if kind == "sms":
        message_id = as_word(event.get("id"))
        if message_id is not None:
            status, result = event.get("message_status"), event.get("message_delivery_result")
            return message_id, as_word(status) or "", as_word(result) or ""
    if kind == "agent_status":
        agent_id = as_word(as_object(event.get("target")).get("id"))
        if agent_id is not None and at is not None:
            return agent_id, str(at), ""
    return None


def _digest(*parts: Union[str, bytes]) -> str:
    """Half a SHA-256 over the parts, each with its length before it, so that no two lists of parts look alike."""
    whole = hashlib.sha256()
    for part in parts:
        # An id may hold half a surrogate pair, which has no encoding of its own.
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()[:32]


def _id(text: Optional[str]) -> Optional[str]:
    return text if text and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}", text) else None


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        value = value[0] if value else ""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
