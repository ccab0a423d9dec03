// The trust file (docs/formats/trust-file.md): what is believed before anything is opened.

import { Refused, hex, sha256, utf8 } from "./bytes.js";
import { fromPem, readCertificate } from "./certificates.js";
import { JsonNumber, parseObject } from "./json.js";
import { parseLogKey, parsePolicy } from "./log.js";

const MAX_TRUST = 1024 * 1024;
const FORMAT = "urn:packtrace:trust-file:1";
const MAX_PREDECESSOR = 100_000;

const unreadable = (what) => new Refused("evidence", `the trust file can't be read: ${what}`, "trust file");
const isText = (value) => typeof value === "string";
const isDigest = (value) => isText(value) && /^[0-9a-f]{64}$/.test(value);
const isList = (most, of) => (value) => Array.isArray(value) && value.length <= most && value.every(of);
const DIGESTS = isList(Infinity, isDigest);
const REQUIRED = {
  origin: (value) => isText(value) && value.length >= 1 && value.length <= 500,
  log_key: isText,
  authorities: (value) => isList(64, isText)(value) && value.length > 0,
  rule_sets: DIGESTS,
  factor_releases: DIGESTS,
  policies: DIGESTS,
};
const OPTIONAL = {
  intermediates: isList(64, isText),
  pinned: (value) => value instanceof Map && value.size <= 4096 && [...value.values()].every(isList(Infinity, isText)),
  witness_policy: isText,
  other_log_keys: isList(8, isText),
  predecessor: (value) => isText(value) && value.length <= MAX_PREDECESSOR,
};

/** The anchors in a trust file's bytes, with its fingerprint. Whatever can't be read refuses the file, not the evidence. */
export async function readTrust(bytes) {
  try {
    return await anchorsOf(bytes);
  } catch (error) {
    if (!(error instanceof Refused) || error.code === "evidence") throw error;
    throw unreadable(error.message);
  }
}

async function anchorsOf(bytes) {
  if (bytes.length > MAX_TRUST) throw unreadable(`larger than ${MAX_TRUST} bytes`);
  const members = parseObject(bytes, "trust file");
  checkMembers(members);
  const get = (name, otherwise) => members.get(name) ?? otherwise;
  const keys = [];
  for (const vkey of [get("log_key"), ...get("other_log_keys", [])]) keys.push(await parseLogKey(vkey));
  if (keys.some((key) => key.name !== get("origin"))) throw unreadable("the log key's name is not the origin");
  if (new Set(keys.map((key) => key.vkey)).size !== keys.length) throw unreadable("a log key is named twice");
  return {
    origin: get("origin"),
    keys,
    authorities: certificates(get("authorities")),
    intermediates: certificates(get("intermediates", [])),
    pinned: new Map([...get("pinned", new Map())].map(([organisation, texts]) => [organisation, certificates(texts)])),
    policy: await policyOf(get("witness_policy", ""), keys),
    fingerprint: await fingerprintOf(members),
  };
}

function checkMembers(members) {
  const checks = { format: (value) => value === FORMAT, ...REQUIRED, ...OPTIONAL };
  const missing = ["format", ...Object.keys(REQUIRED)].find((name) => !members.has(name));
  if (missing !== undefined) throw unreadable(`${missing} is missing`);
  for (const [name, value] of members) {
    if (!Object.hasOwn(checks, name)) throw unreadable("a member that this page doesn't know");
    if (!checks[name](value)) throw unreadable(`${name} has another form`);
  }
  const predecessor = members.get("predecessor");
  const note = /^([^\n]+)\n[0-9]{1,19}\n[^\n]+\n\n(?:\u2014 [^\n]+\n)+$/.exec(predecessor ?? "");
  if (predecessor && (note === null || note[1] === members.get("origin"))) {
    throw unreadable("the predecessor is not a checkpoint of another log");
  }
}

const certificates = (texts) =>
  texts.map((text) => {
    const der = fromPem(text);
    if (der === null) throw unreadable("a certificate is not in PEM");
    return readCertificate(der);
  });

async function policyOf(text, keys) {
  if (text === "") return null;
  const policy = await parsePolicy(text);
  policy.checkIsFor(keys);
  if (!policy.isAttainable(keys)) throw unreadable("the witness policy asks for the log's own witness, which never counts");
  return policy;
}

/** SHA-256 of the file in its one written form, in groups of eight, to compare over another channel. */
async function fingerprintOf(members) {
  const isThere = ([name, value]) => !(name in OPTIONAL) || (value.size ?? value.length) > 0;
  const kept = new Map([...members].filter(isThere));
  for (const name of ["rule_sets", "factor_releases", "policies"]) kept.set(name, [...new Set(kept.get(name))].sort());
  return hex(await sha256(utf8(`${written(kept, "\n")}\n`))).match(/.{8}/g).join(" ");
}

/** JSON with sorted members, indented by one, in ASCII. */
function written(value, line) {
  const inner = `${line} `;
  if (Array.isArray(value)) return value.length ? `[${inner}${value.map((one) => written(one, inner)).join(`,${inner}`)}${line}]` : "[]";
  if (value instanceof Map) {
    const members = [...value.keys()].sort().map((name) => `${written(name, "")}: ${written(value.get(name), inner)}`);
    return members.length ? `{${inner}${members.join(`,${inner}`)}${line}}` : "{}";
  }
  if (value instanceof JsonNumber) return value.text;
  return JSON.stringify(value).replace(/[\x7f-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
