// Compiled, never run: what the adapters make is what each framework takes.

import type { ALBHandler, APIGatewayProxyHandler, APIGatewayProxyHandlerV2, LambdaFunctionURLHandler } from "aws-lambda";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import type { NextApiHandler } from "next";
import { createReceiver, type Handlers } from "@switchhook/receiver";
import { handler } from "@switchhook/receiver/express";
import { plugin } from "@switchhook/receiver/fastify";
import { handler as forHono } from "@switchhook/receiver/hono";
import { lambda } from "@switchhook/receiver/lambda";
import { apiRoute } from "@switchhook/receiver/next";

const receiver = createReceiver();
const handlers: Handlers = {};
const onLambda = lambda(receiver, handlers);

express().post("/hook", handler(receiver, handlers));
fastify().register(plugin(receiver, handlers), { path: "/hook" });
new Hono().post("/hook", forHono(receiver, handlers));
onLambda satisfies ALBHandler & APIGatewayProxyHandler & APIGatewayProxyHandlerV2 & LambdaFunctionURLHandler;
apiRoute(receiver, handlers) satisfies NextApiHandler;
