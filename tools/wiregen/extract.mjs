// Writes the shapes of a service's API as JSON to standard output, from an installed npm package @aws-sdk/client-SERVICE.
// Usage: node extract.mjs NODE_MODULES SERVICE ACTIONS.TXT
//
// The package exports every shape as an array: kind, namespace, name, traits, and then by kind. Kinds: 0 a simple type with
// traits, 1 a list (member type), 3 a structure (member names, member types), 9 an operation (input, output). A member's
// type is a number (0 text, 1 number, 2 boolean, 4 to 7 time, 21 blob, 64+n a list of n), a function that returns a shape, or
// a pair of either with traits. The trait xmlName is the name in answers and, capitalised, in requests, where ec2QueryName
// overrules it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [modules, service, list] = process.argv.slice(2);
const schemas = createRequire(resolve(modules, "..", "x.js"))("@aws-sdk/client-" + service);
const operations = new Map();
for (const shape of Object.values(schemas)) {
  if (Array.isArray(shape) && shape[0] === 9) operations.set(shape[2], shape);
}
const served = readFileSync(list, "utf8").split("\n").map((l) => l.replace(/#.*/, "").trim()).filter(Boolean);

const structures = {};
const simple = (n) => ({ 0: "string", 1: "number", 2: "boolean", 4: "time", 5: "time", 6: "time", 7: "time", 21: "blob", 42: "blob" })[n];

function type(t) {
  let traits = {};
  if (Array.isArray(t) && t.length === 2) [t, traits] = t; // traits may be a number of flags
  if (typeof t === "function") t = t();
  const names = { xml: traits.xmlName, query: traits.ec2QueryName };
  if (typeof t === "number") {
    if (t & 64) return { ...names, kind: "list", of: { kind: simple(t & 63) } };
    if (!simple(t)) throw new Error(`unknown simple type ${t}`);
    return { ...names, kind: simple(t) };
  }
  switch (t[0]) {
    case 0:
      if (!simple(t[4])) throw new Error(`unknown simple type ${t[4]} of ${t[2]}`);
      return { ...names, kind: simple(t[4]) };
    case 1:
      return { ...names, kind: "list", of: type(t[4]) };
    case 2:
      throw new Error(`a map: ${t[2]}`);
    case 3:
      structure(t);
      return { ...names, kind: "structure", ref: t[2] };
  }
  throw new Error(`unknown kind ${t[0]} of ${t[2]}`);
}

function structure(s) {
  if (structures[s[2]]) return;
  const members = [];
  structures[s[2]] = members;
  s[4].forEach((name, i) => members.push({ name, ...type(s[5][i]) }));
}

const actions = {};
for (const name of served) {
  const op = operations.get(name);
  if (!op) throw new Error(`${service} has no action ${name}`);
  const shapeOf = (f) => {
    const s = typeof f === "function" ? f() : f;
    if (!Array.isArray(s) || s[0] !== 3) return ""; // no members at all
    structure(s);
    return s[2];
  };
  actions[name] = { input: shapeOf(op[4]), output: shapeOf(op[5]) };
}
const sorted = Object.fromEntries(Object.entries(structures).sort(([a], [b]) => (a < b ? -1 : 1)));
process.stdout.write(JSON.stringify({ actions, known: [...operations.keys()].sort(), structures: sorted }));
