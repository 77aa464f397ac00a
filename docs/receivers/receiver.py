"""A receiver in Python, standard library only: python3 receiver.py, with SECRET and PORT in the environment.

With PyJWT, `verified` is one line: jwt.decode(body, SECRET, algorithms=["HS256"]). Name the algorithm, always.
"""

import base64
import hashlib
import hmac
import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["SECRET"].encode()
MAX_BODY = 2 * 1024 * 1024


def decoded(segment):
    if not re.fullmatch(rb"[A-Za-z0-9_-]+", segment):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))


def verified(body):
    """The event in a signed body. Raises ValueError if it is not signed with the secret."""
    try:
        header, payload, signature = body.split(b".")
        algorithm = json.loads(decoded(header)).get("alg")
        expected = hmac.new(SECRET, header + b"." + payload, hashlib.sha256).digest()
        given = decoded(signature)
    except Exception as error:
        raise ValueError("this is no token") from error
    if algorithm != "HS256" or not hmac.compare_digest(expected, given):
        raise ValueError("the signature does not hold")
    try:
        # As UTF-8 and nothing else, and without NaN: Python would take more than is JSON.
        event = json.loads(decoded(payload).decode("utf-8"), parse_constant=int)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(event, dict):
        raise ValueError("an event is one JSON object")
    return event


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > MAX_BODY:
            return self.answer(413)
        body = self.rfile.read(length)  # raw bytes: the content type is application/jwt
        try:
            event = verified(body)
        except ValueError:
            return self.answer(401)
        # Drop what was seen before: the same event has the same id on every attempt.
        print(self.headers.get("Switchhook-Event-Id"), event.get("state"), flush=True)
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # with Python's five, the sixth connection of a burst waits for a second


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Receiver).serve_forever()
