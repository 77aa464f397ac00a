"""Stands in for a load balancer: calls the handler of app.py with what it hands over, and answers what it says."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.getcwd())
from app import handler  # noqa: E402


class Gateway(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        names = {name.lower() for name in self.headers}
        event = {
            "httpMethod": "POST",
            "multiValueHeaders": {name: self.headers.get_all(name) for name in names},
            "body": body.decode("latin-1"),
            "isBase64Encoded": False,
        }
        answer = handler(event, None)
        self.send_response(answer["statusCode"])
        for name, value in answer["headers"].items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer["body"].encode())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["PORT"])), Gateway).serve_forever()
