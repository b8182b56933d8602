// Writes the filters that EC2 documents for the actions of ACTIONS.TXT to standard output, an action and a name a line, from
// the types of an installed npm package @aws-sdk/client-ec2: the first word in code of each entry of the list that the
// member Filters has.
// Usage: node filters.mjs NODE_MODULES ACTIONS.TXT
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const [modules, list] = process.argv.slice(2);
const served = new Set(readFileSync(list, "utf8").split("\n").map((l) => l.replace(/#.*/, "").trim()).filter(Boolean));
const dir = join(modules, "@aws-sdk/client-ec2/dist-types/models");
const text = readdirSync(dir).filter((f) => /^models_\d+\.d\.ts$/.test(f)).map((f) => readFileSync(join(dir, f), "utf8")).join("\n");
const rows = new Set();
for (const [, name, body] of text.matchAll(/export interface (\w+)Request(?: extends \w+)? \{\n([\s\S]*?)\n\}/g)) {
  const member = body.match(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s+Filters?\?: Filter\[\]/);
  if (!served.has(name) || !member) continue;
  let depth = 0;
  let waiting = false; // for the name of an entry
  for (const [, tag, code] of member[1].matchAll(/<(\/?ul|li)>|<code>([\s\S]*?)<\/code>/g)) {
    if (tag === "ul") depth++;
    else if (tag === "/ul") depth--;
    else if (tag === "li") waiting ||= depth === 1;
    else if (waiting) {
      rows.add(`${name}\t${code.trim().replace(/^tag(:(<key>)?)?$/, "tag:<key>")}`);
      waiting = false;
    }
  }
}
process.stdout.write([...rows].sort().join("\n") + "\n");
