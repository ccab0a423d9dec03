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
const isOrganisation = (value) => isText(value) && /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/.test(value) && value.length <= 512;
const isCount = (most) => (value) => value instanceof JsonNumber && value.isInteger && Number(value.text) >= 0 && Number(value.text) <= most;
const PUBLISHED = ["rule_sets", "factor_releases", "policies"];
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
  pinned: (value) => value instanceof Map && value.size <= 4096 && [...value].every(([name, of]) => isOrganisation(name) && isList(Infinity, isText)(of)),
  witness_policy: isText,
  other_log_keys: isList(8, isText),
  predecessor: (value) => isText(value) && value.length <= MAX_PREDECESSOR,
  version: isCount(Number.MAX_SAFE_INTEGER),
  expires: (value) => isText(value) && (value === "" || secondsOf(value) !== null),
  time_authorities: isList(64, isText),
  publishers: (value) => value instanceof Map && [...value].every(([name, of]) => PUBLISHED.includes(name) && isList(64, isOrganisation)(of) && of.length > 0),
  max_snapshot_days: isCount(36_500),
  next_keys: isList(16, isText),
  next_threshold: isCount(16),
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
  certificates(get("time_authorities", []));
  await checkNext(members, keys);
  return {
    origin: get("origin"),
    keys,
    authorities: certificates(get("authorities")),
    intermediates: certificates(get("intermediates", [])),
    pinned: new Map([...get("pinned", new Map())].map(([organisation, texts]) => [organisation, certificates(texts)])),
    policy: await policyOf(get("witness_policy", ""), keys),
    expires: get("expires", "") === "" ? null : secondsOf(get("expires")),
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

/** Who may sign the next version: so many of keys that are neither twice there nor the log's. */
async function checkNext(members, keys) {
  const next = members.get("next_keys") ?? [];
  const [threshold, version] = ["next_threshold", "version"].map((name) => Number(members.get(name)?.text ?? 0));
  if (next.length && version === 0) throw unreadable("a file that names who signs the next version has a version");
  if (threshold < Math.min(next.length, 1) || threshold > next.length) throw unreadable("next_threshold is not from 1 to the number of next_keys");
  const publics = keys.map((key) => hex(key.publicKey));
  for (const vkey of next) {
    const place = hex((await parseLogKey(vkey)).publicKey);
    if (publics.includes(place)) throw unreadable("a key is twice among the next_keys, or one of the log's");
    publics.push(place);
  }
}

/** The seconds since 1970 of a time such as 2027-12-31T00:00:00Z; null for anything else. */
function secondsOf(text) {
  const time = new Date(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/.test(text) ? text : NaN);
  const isSpeltSo = !Number.isNaN(time.getTime()) && time.toISOString().replace(".000Z", "Z") === text;
  return isSpeltSo ? time.getTime() / 1000 : null;
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
  const saysNothing = (value) => (value instanceof JsonNumber ? Number(value.text) === 0 : (value.size ?? value.length) === 0);
  const kept = new Map([...members].filter(([name, value]) => !(name in OPTIONAL) || !saysNothing(value)));
  const sorted = (values) => [...new Set(values)].sort();
  for (const name of PUBLISHED) kept.set(name, sorted(kept.get(name)));
  if (kept.has("publishers")) kept.set("publishers", new Map([...kept.get("publishers")].map(([name, of]) => [name, sorted(of)])));
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
