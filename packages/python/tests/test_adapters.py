"""The adapters inside the frameworks that they are for, each with its own test client. What is not installed is skipped."""

import asyncio
import base64
import json
import unittest

from signing import SECRET, hangup, sign
from switchhook_receiver import create_receiver
from switchhook_receiver.aws_lambda import lambda_handler

TYPES = ("application/jwt", "text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data")


class Adapter(unittest.TestCase):
    def setUp(self):
        self.seen, self.troubles = [], []
        self.receiver = create_receiver(secret=SECRET, report=self.troubles.append)

    def save(self, event):
        self.seen.append(event.payload["call_id"])

    async def save_later(self, event):
        await asyncio.sleep(0)
        self.save(event)

    def check(self, post):
        """What every framework must do: take what is right under any content type, refuse what is wrong, bound the body."""
        for content_type in TYPES:
            event = hangup()
            self.assertEqual(post(sign(event), content_type), 200, content_type)
            self.assertEqual(self.seen[-1], str(event["call_id"]))
        large = json.dumps({**hangup(), "note": "x" * 1_100_000})
        self.assertEqual(post(sign(large), TYPES[0]), 200)
        self.assertEqual(post(sign(hangup(), "another"), TYPES[0]), 401)
        self.assertEqual(post(json.dumps(hangup()).encode(), TYPES[2]), 401)
        self.assertEqual(post(b"", TYPES[0]), 400)
        self.assertEqual(post(b"a" * (3 << 20), TYPES[0]), 413)

    def test_fastapi(self):
        try:
            from fastapi import FastAPI
            from starlette.requests import Request
            from starlette.testclient import TestClient
            from switchhook_receiver.starlette import endpoint
        except ImportError as error:
            self.skipTest(str(error))
        app = FastAPI()
        app.add_route("/hook", endpoint(self.receiver, on_call=self.save_later), methods=["POST"])

        async def drained(request: Request):
            async for _ in request.stream():
                pass
            return await endpoint(self.receiver)(request)

        app.add_route("/drained", drained, methods=["POST"])
        client = TestClient(app)
        self.check(lambda body, kind: client.post("/hook", content=body, headers={"Content-Type": kind}).status_code)
        self.assertEqual(client.get("/hook").status_code, 405)
        self.assertEqual(client.post("/drained", content=sign(hangup())).status_code, 500)
        self.assertIn("FastAPI", str(self.troubles[-1].error))

    def test_flask(self):
        try:
            from flask import Flask, request
            from switchhook_receiver.flask import view
        except ImportError as error:
            self.skipTest(str(error))
        app = Flask(__name__)
        app.add_url_rule("/hook", view_func=view(self.receiver, on_call=self.save), methods=["POST"])

        def drained():
            request.stream.read()
            return view(self.receiver)()

        app.add_url_rule("/drained", view_func=drained, methods=["POST"])
        client = app.test_client()
        self.check(lambda body, kind: client.post("/hook", data=body, content_type=kind).status_code)
        self.assertEqual(client.get("/hook").status_code, 405)
        self.assertEqual(client.post("/drained", data=sign(hangup())).status_code, 500)
        self.assertIn("Flask", str(self.troubles[-1].error))

    def test_django(self):
        try:
            import django
            from django.conf import settings
            from django.test import RequestFactory
        except ImportError as error:
            self.skipTest(str(error))
        if not settings.configured:
            settings.configure(DEFAULT_CHARSET="utf-8", ALLOWED_HOSTS=["*"])
            django.setup()
        from switchhook_receiver.django import view

        hook, factory = view(self.receiver, on_call=self.save), RequestFactory()
        self.assertTrue(hook.csrf_exempt)
        self.check(lambda body, kind: hook(factory.post("/hook", body, content_type=kind)).status_code)
        self.assertEqual(hook(factory.get("/hook")).status_code, 405)
        read = factory.post("/hook", sign(hangup()), content_type=TYPES[0])
        read.read()
        self.assertEqual(hook(read).status_code, 500)
        self.assertIn("Django", str(self.troubles[-1].error))
        kept = factory.post("/hook", sign(hangup()), content_type=TYPES[0])
        self.assertTrue(kept.body)
        self.assertEqual(hook(kept).status_code, 200)

    def test_aiohttp(self):
        try:
            from aiohttp import web
            from aiohttp.test_utils import TestClient, TestServer
            from switchhook_receiver.aiohttp import handler
        except ImportError as error:
            self.skipTest(str(error))

        async def drained(request):
            async for _ in request.content.iter_any():
                pass
            return await handler(self.receiver)(request)

        async def play():
            app = web.Application()
            app.router.add_post("/hook", handler(self.receiver, on_call=self.save_later))
            app.router.add_post("/drained", drained)
            async with TestClient(TestServer(app)) as client:
                loop = asyncio.get_running_loop()

                async def status(path, body, kind):
                    async with client.post(path, data=body, headers={"Content-Type": kind}) as response:
                        return response.status

                def post(body, kind):
                    return asyncio.run_coroutine_threadsafe(status("/hook", body, kind), loop).result()

                await loop.run_in_executor(None, self.check, post)
                self.assertEqual(await status("/drained", sign(hangup()), TYPES[0]), 500)
                self.assertIn("aiohttp", str(self.troubles[-1].error))

        asyncio.run(play())

    def test_aws_lambda(self):
        handler = lambda_handler(self.receiver, on_call=self.save)
        http = {"requestContext": {"http": {"method": "POST"}}}

        def post(body, kind):
            encoded = base64.b64encode(body).decode()
            event = {**http, "body": encoded, "isBase64Encoded": True, "headers": {"content-type": kind}}
            return handler(event, None)["statusCode"]

        self.check(post)
        rest = {"httpMethod": "POST", "requestContext": {"stage": "prod"}}
        balancer = {"httpMethod": "POST", "requestContext": {"elb": {"targetGroupArn": "arn:aws:…"}}}
        labels, many = {"Switchhook-Event-Id": "17"}, {"Switchhook-Event-Id": ["17"]}
        for name, event in (
            ("function URL", {**http, "headers": {"content-type": TYPES[0]}}),
            ("REST API", {**rest, "headers": labels, "multiValueHeaders": many}),
            ("load balancer", {**balancer, "headers": labels}),
            ("load balancer, many values", {**balancer, "multiValueHeaders": many}),
        ):
            for is_encoded in (False, True):
                count = len(self.seen)
                body = sign(hangup())
                text = (base64.b64encode(body) if is_encoded else body).decode()
                answer = handler({**event, "body": text, "isBase64Encoded": is_encoded}, None)
                self.assertEqual((answer["statusCode"], answer["isBase64Encoded"]), (200, False), name)
                self.assertEqual(len(self.seen), count + 1, name)
                self.assertEqual("multiValueHeaders" in answer, "headers" not in event, name)
        self.assertEqual(handler({**http, "body": "AAA", "isBase64Encoded": True})["statusCode"], 400)
        self.assertEqual(handler(http)["statusCode"], 400)
        self.assertEqual(handler({**balancer, "body": None, "headers": {}})["statusCode"], 400)
        self.assertEqual(handler({"requestContext": {"http": {"method": "GET"}}})["statusCode"], 405)
        for parsed in ({**http, "body": {"call_id": 1}}, {"call_id": 1, "state": "hangup"}):
            self.assertEqual(handler(parsed)["statusCode"], 500)
            self.assertIn("AWS_PROXY", str(self.troubles.pop().error))

    def test_pydantic(self):
        try:
            from switchhook_receiver.models import CallEvent
        except ImportError as error:
            self.skipTest(str(error))
        event = {**hangup(), "contact": {}, "target": {"id": 2**63 - 1}, "of_tomorrow": 1, "state": None}
        call = CallEvent.model_validate(self.receiver.verify(sign(event)).payload)
        self.assertEqual((call.duration_ms, call.contact, call.target.id), (8951.03, None, str(2**63 - 1)))
        self.assertEqual((call.state, call.of_tomorrow), (None, 1))


if __name__ == "__main__":
    unittest.main()
