"""Receive the webhooks of Dialpad and of Switchhook: verified, typed, each event once.

    receiver = create_receiver(secret=os.environ["DIALPAD_WEBHOOK_SECRET"])
    event = receiver.verify(body, headers)      # raises Refusal, whose status is what to answer

Adapters for web frameworks are modules of this package: ``starlette`` (also for FastAPI), ``flask``, ``django``,
``aiohttp`` and ``aws_lambda``. The types of the events are in ``events``, as pydantic models in ``models``.
"""

from ._calls import CallOf, Calls
from ._json import same_word
from ._order import LegOrder
from ._received import HeadersLike, Labels, Received
from ._receiver import Answer, EventHandler, Receiver, Secret, Trouble, create_receiver
from ._refusal import BodyWasParsed, HandlerTimedOut, InvalidSecret, Refusal
from ._repeats import RepeatsInMemory, RepeatStore
from ._token import MAX_BODY_BYTES

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "BodyWasParsed",
    "CallOf",
    "Calls",
    "EventHandler",
    "HandlerTimedOut",
    "HeadersLike",
    "InvalidSecret",
    "Labels",
    "LegOrder",
    "MAX_BODY_BYTES",
    "Received",
    "Receiver",
    "Refusal",
    "RepeatStore",
    "RepeatsInMemory",
    "Secret",
    "Trouble",
    "create_receiver",
    "same_word",
]
