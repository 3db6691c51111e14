// Write the bundles that Python hands to the browser, or check that they are current.
//
//   node scripts/bundle.mjs           write them
//   node scripts/bundle.mjs --check   fail if one of them differs from what would be written
//
// Each bundle begins with the SHA-256 of the modules in it, so that a test without Node.js
// can tell that a module was changed and the bundle was not.

import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { build } from "esbuild";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const APP = "workbench/app";

/** Name of each bundle: its first module, and how Python uses it. */
const BUNDLES = {
  stage: { entry: `${APP}/viewer/browser/stage.js`, format: "esm" }, // of the component TileStage
  palette: { entry: `${APP}/viewer/browser/palette.js`, format: "esm" }, // of the component CommandPalette
  class_palette: { entry: `${APP}/widgets/class_palette.js`, format: "esm" }, // of ClassPalette
  gallery: { entry: `${APP}/gallery/browser/study_page.js`, format: "esm" }, // of the page of a study
  tunnel: { entry: `${APP}/jupyter/tunnel.js`, format: "esm" }, // of a widget in a notebook
  shell: { entry: `${APP}/server/shell.js`, format: "iife" }, // in a page, before the app
  cell: { entry: `${APP}/jupyter/cell.js`, format: "iife", globalName: "workbenchCell" }, // in a page
};

/** SHA-256 of the modules of a bundle, in the order of their file names. */
async function digestOf(inputs) {
  const digest = createHash("sha256");
  const byName = (a, b) => (path.basename(a) < path.basename(b) ? -1 : 1);
  for (const input of [...inputs].sort(byName)) digest.update(await readFile(path.join(ROOT, input)));
  return digest.digest("hex");
}

async function bundled({ entry, ...options }) {
  const { metafile, outputFiles } = await build({
    ...options,
    entryPoints: [entry],
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    metafile: true,
    charset: "utf8",
    target: "es2022",
    legalComments: "none",
  });
  const digest = await digestOf(Object.keys(metafile.inputs));
  return `// Made by "make bundles"; change the modules instead. sha256 of them: ${digest}\n${outputFiles[0].text}`;
}

const check = process.argv.includes("--check");
let stale = 0;
for (const [name, options] of Object.entries(BUNDLES)) {
  const file = path.join(ROOT, APP, "bundles", `${name}.js`);
  const text = await bundled(options);
  if (!check) {
    await writeFile(file, text);
  } else if ((await readFile(file, "utf8").catch(() => "")) !== text) {
    console.error(`${path.relative(ROOT, file)} is not current: run "make bundles" and commit it.`);
    stale += 1;
  }
}
process.exitCode = stale ? 1 : 0;
