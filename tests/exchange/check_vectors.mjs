// Runs the modules of the check page over vectors: `node check_vectors.mjs MODULES < vectors.json`, a JSON list of answers out.

import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(`${process.argv[2]}/${name}`).href);
const [{ check, checkEntry }, { utf8 }, { Archive }] = await Promise.all(["check.js", "bytes.js", "archive.js"].map(load));

let text = "";
for await (const piece of process.stdin) text += piece;
const { trusts, cases, archive, without_ed25519: isOld } = JSON.parse(text);
const bytes = (given) => (given === null ? null : utf8(given));

if (isOld) {
  // As a browser does that has no Ed25519.
  const importKey = crypto.subtle.importKey.bind(crypto.subtle);
  crypto.subtle.importKey = async (format, key, algorithm, ...rest) => {
    if (algorithm.name === "Ed25519") throw new DOMException("not here", "NotSupportedError");
    return importKey(format, key, algorithm, ...rest);
  };
}

const answers = [];
for (const one of cases) {
  const trust = one.trust === null ? null : bytes(trusts[one.trust]);
  const said = await check({ statement: one.presentation, proof: bytes(one.proof), trust, at: one.at ?? null });
  answers.push({ name: one.name, verdict: said.code, error: said.error ?? null, text: said.text });
}

const opened = await Archive.open(new Blob([Buffer.from(archive.file, "base64")]));
for (const index of opened.indices) {
  const said = await checkEntry(opened, index);
  const trusted = await checkEntry(opened, index, { trust: bytes(archive.trust) });
  answers.push({ name: `archive ${index}`, verdict: said.code, trusted: trusted.code, text: said.text });
}
console.log(JSON.stringify(answers));
