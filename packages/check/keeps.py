"""A receiver for `cargo xtask strangers`, with Python's own server: each event once, as a line of the file $KEPT."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from switchhook_receiver import create_receiver

KEPT = open(os.environ["KEPT"], "a", buffering=1, encoding="utf-8")
RECEIVER = create_receiver(secrets=[os.environ["SECRET"], "of before"], report=lambda trouble: None)
EVENTS = RECEIVER.handler(on_other=lambda event: KEPT.write(f"{event.kind} {event.repeat_key}\n"))


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = EVENTS.receive(body, self.headers)
        self.send_response(answer.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["PORT"])), Hook).serve_forever()
