// Builds dist: one small file for the core and one for each adapter, and their types.

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { build } from "esbuild";

const here = import.meta.dirname;
const entries = ["index", "express", "fastify", "hono", "lambda", "next", "supabase"];

rmSync(`${here}/dist`, { recursive: true, force: true });
execFileSync(process.execPath, [`${here}/node_modules/typescript/bin/tsc`, "-p", here], { stdio: "inherit" });
await build({
  entryPoints: entries.map((name) => `${here}/src/${name}.ts`),
  outdir: `${here}/dist`,
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
});
