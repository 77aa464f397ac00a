"""Signs events as Dialpad and Switchhook do."""

import base64
import hashlib
import hmac
import itertools
import json

SECRET = "both sides know ït"
_IDS = itertools.count(1)


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(event, secret=SECRET):
    text = event if isinstance(event, str) else json.dumps(event)
    signed = encoded(b'{"alg":"HS256","typ":"JWT"}') + b"." + encoded(text.encode())
    return signed + b"." + encoded(hmac.new(secret.encode(), signed, hashlib.sha256).digest())


def hangup():
    """A new event with each call."""
    return {"call_id": next(_IDS), "state": "hangup", "event_timestamp": 1795253415180, "duration": 8951.03}
