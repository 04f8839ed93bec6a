// Finishes the OpenAPI document that protoc-gen-openapiv2 wrote, in place:
//
//   node scripts/openapi.mjs bin/proto/openapi/phrd.swagger.json
//
// Each module of the chain has a service named Query, so the plugin's operation
// ids and tags repeat from module to module, which the specification forbids.
// The module's name is taken from the path, /phrd/<module>/v1/….
import { readFileSync, writeFileSync } from "node:fs";

const file = process.argv[2];
const doc = JSON.parse(readFileSync(file, "utf8"));

const modules = new Set();
const ids = new Set();
for (const [path, operations] of Object.entries(doc.paths)) {
  const module = path.match(/^\/phrd\/([a-z]+)\/v\d+\//)?.[1];
  if (!module) throw new Error(`${path} does not start with /phrd/<module>/v1/`);
  modules.add(module);
  for (const operation of Object.values(operations)) {
    operation.operationId = operation.operationId.replace(/^Query/, module);
    operation.tags = [module];
    if (ids.has(operation.operationId)) throw new Error(`operation id ${operation.operationId} repeats`);
    ids.add(operation.operationId);
  }
}
doc.info = {
  title: "phrd",
  description: "Queries of the hospitals' chain, as JSON over HTTP. Field names are those of the protobuf files.",
  version: "v1",
};
doc.tags = [...modules].sort().map((name) => ({ name }));

writeFileSync(file, JSON.stringify(doc, null, 2) + "\n");
