"""A registry for npm on this machine that has a few packages, so that `npx` finds what was just made and asks nobody else."""

import base64
import hashlib
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


class Registry:
    def __init__(self, files: list[Path]):
        self.files = {file.name: file.read_bytes() for file in files}
        self.abouts = {}
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                ours.answer(self, unquote(self.path).lstrip("/"))

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        for file in files:
            about = self.about(file)
            self.abouts[about["name"]] = about

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def about(self, file: Path) -> dict:
        with tarfile.open(file) as tar:
            package = json.load(tar.extractfile("package/package.json"))
        digest = hashlib.sha512(self.files[file.name]).digest()
        package["dist"] = {
            "tarball": f"{self.url}files/{file.name}",
            "integrity": "sha512-" + base64.b64encode(digest).decode(),
        }
        version = package["version"]
        return {"name": package["name"], "dist-tags": {"latest": version}, "versions": {version: package}}

    def answer(self, request: BaseHTTPRequestHandler, path: str) -> None:
        file = self.files.get(path.removeprefix("files/"))
        about = self.abouts.get(path)
        body = file if file is not None else json.dumps(about).encode()
        request.send_response(200 if file is not None or about else 404)
        request.send_header("content-type", "application/octet-stream" if file is not None else "application/json")
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
