"""A receiver that takes everything, and looks at the signatures once it knows the secret."""

import base64
import hashlib
import hmac
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    def __init__(self):
        self.bodies: list[bytes] = []
        self.first_at = float("inf")
        ours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                ours.first_at = min(ours.first_at, time.monotonic())
                ours.bodies.append(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def verify(self, said: str, wanted: int) -> None:
        """Holds what came against the secret that `dev` showed."""
        (secret,) = [line.removeprefix("SECRET=") for line in said.splitlines() if line.startswith("SECRET=")]
        if len(self.bodies) < wanted:
            sys.exit(f"packages/test: {len(self.bodies)} events came instead of {wanted}:\n{said}")
        for body in self.bodies:
            signed, _, signature = body.rpartition(b".")
            right = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
            if not hmac.compare_digest(base64.urlsafe_b64encode(right).rstrip(b"="), signature):
                sys.exit(f"packages/test: an event is not signed with the secret that was shown:\n{said}")
