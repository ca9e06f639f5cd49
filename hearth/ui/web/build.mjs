// Builds the page: `node build.mjs dist`; its tests for node: `node build.mjs --tests DIR`.
// What comes out depends on the source and package-lock.json alone; dist/ is committed.
import { build } from "esbuild";
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const common = {
  absWorkingDir: here,
  bundle: true,
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
  target: ["es2022"],
};

function emptied(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

async function page(folder) {
  const assets = join(emptied(folder), "assets");
  await build({
    ...common,
    entryPoints: { app: "src/main.tsx", theme: "src/early.ts", page: "src/styles/page.css" },
    outdir: assets,
    entryNames: "[name]",
    assetNames: "[name]",
    format: "esm",
    minify: true,
    loader: { ".woff2": "file" },
    define: { "process.env.NODE_ENV": '"production"' },
  });
  cpSync(join(here, "src/index.html"), join(folder, "index.html"));
  cpSync(join(here, "src/icon.svg"), join(assets, "icon.svg"));
  cpSync(join(here, "src/NOTICE.txt"), join(folder, "NOTICE.txt"));
}

async function tests(folder) {
  const names = readdirSync(join(here, "test")).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...common,
    entryPoints: names.map((name) => join("test", name)),
    outdir: emptied(folder),
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
  });
}

const [first, second] = process.argv.slice(2);
await (first === "--tests" ? tests(join(here, second)) : page(join(here, first)));
