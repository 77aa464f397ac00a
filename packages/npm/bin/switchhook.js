#!/usr/bin/env node
// Starts the program, which is in the package for this machine: npm installed the one that fits.
"use strict";

const { spawn } = require("node:child_process");

const machine = `${process.platform}-${process.arch}`;

function program() {
  try {
    return require.resolve(`@switchhook/${machine}/bin/switchhook`);
  } catch {
    console.error(
      `switchhook: there is no program for ${machine} in node_modules/@switchhook. It runs on Linux and macOS, on x64 and ` +
        "arm64; if yours is one of these, install again without --no-optional (--omit=optional).",
    );
    process.exit(1);
  }
}

const child = spawn(program(), process.argv.slice(2), { stdio: "inherit" });
child.on("error", (error) => {
  console.error(`switchhook: the program cannot be started: ${error.message}`);
  process.exit(1);
});
// Whoever asks us to stop means the program. A terminal tells it itself, so that here it is only outlived.
for (const signal of ["SIGINT", "SIGQUIT"]) process.on(signal, () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
