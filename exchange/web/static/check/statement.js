// A statement, judged as signer.verify judges it: a token in one strict form, its certificate, its disclosures (RFC 9901, narrowed;
// docs/formats/statement.md). The steps come in the same order and fail with the same codes.

import { Refused, fromBase64, fromBase64url, fromUtf8, isAscii, sha256, toBase64url, utf8 } from "./bytes.js";
import { checkChain, isSignedBy, readLeaf } from "./certificates.js";
import { JsonNumber, parseJsonText, parseObject } from "./json.js";
import { KINDS } from "./kinds.js";

const MAX_TOKEN = 65_535;
const MAX_HEADER = 8192;
const MAX_DISCLOSURE = 1_048_576;
const SMALLEST_DIGESTS = 16;
const SMALLEST_LIST = 8;
const LAST_SECOND = 253_402_300_799;
const HEADER_MEMBERS = new Set(["alg", "typ", "kid", "x5c"]);
const ALWAYS_OPEN = ["aud", "iat", "iss", "jti", "vct"];
const WITH_DIGESTS = [...ALWAYS_OPEN, "_sd", "_sd_alg", "contents_digest"];
const NEVER_HIDDEN = new Set(["_sd", "...", "exp", "nbf", "cnf"]);
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const bad = (code, what, where) => new Refused(code, what, where);

/** Token and disclosures of `token~disclosure~...~`, or of a bare token. */
export function splitPresentation(text) {
  if (!text.includes("~")) return { token: text, disclosures: [] };
  if (!text.endsWith("~")) throw bad("malformed_token", "the disclosures don't end with a tilde", "presentation");
  const [token, ...disclosures] = text.slice(0, -1).split("~");
  return { token, disclosures };
}

/** The verified statement; without `trust` nobody vouches for its certificate, and any ledger will do. */
export async function verifyStatement(token, disclosures, trust) {
  // 1. Form: ASCII, size, three parts in canonical base64url, a header without choices, open claims in their form.
  const envelope = openEnvelope(token);
  const claims = readOpenClaims(envelope.payload);
  const kind = kindOf(claims.vct);
  // 2. Certificate: valid at the time that the issuer claims, vouched for by an authority that may speak for its organisation.
  const leaf = await readLeaf(envelope.leaf);
  const chain = trust && (await checkChain(leaf, trust, claims.issuedAt));
  // 3. Key: the header names the certified key and the one algorithm it may be used with.
  if (envelope.thumbprint !== leaf.thumbprint) throw bad("key_mismatch", "kid names another key than the certificate", "header kid");
  if (envelope.algorithm !== leaf.algorithm) throw bad("algorithm_not_allowed", "alg is not the key's algorithm", "header alg");
  // 4. Signature over the bytes as received.
  if (!(await isSignedBy(leaf.publicKey, leaf.algorithm, envelope.signature, utf8(envelope.signingInput)))) {
    throw bad("bad_signature", "the signature does not verify", "signature");
  }
  // 5. Open claims: exactly those of the kind.
  checkKind(claims.members, kind);
  // 6. Who, for which ledger, when.
  checkIssue(claims, leaf, trust);
  // 7. Disclosures: each referenced once, none overwrites, lists are lists.
  const arrangement = await arrange(claims.members, disclosures, kind);
  // 8. Contents: the one that the token names; where disclosed, it names all that is disclosed.
  const contents = checkContents(arrangement);
  return { ...claims, kind: claims.vct, leaf, chain, contents, ...arrangement };
}

// --- Token --------------------------------------------------------------------------------------------------------

function openEnvelope(token) {
  if (!isAscii(token)) throw bad("malformed_token", "not ASCII text", "token");
  if (token.length > MAX_TOKEN) throw bad("token_too_large", `more than ${MAX_TOKEN} bytes`, "token");
  const parts = token.split(".");
  if (parts.length !== 3 || token.includes("~")) throw bad("malformed_token", "not three parts separated by dots", "token");
  return {
    ...readHeader(parts[0]),
    payload: decodePart(parts[1], "payload"),
    signature: decodePart(parts[2], "signature"),
    signingInput: `${parts[0]}.${parts[1]}`,
  };
}

function decodePart(text, where) {
  const bytes = fromBase64url(text);
  if (bytes === null) throw bad("bad_base64", "not canonical base64url", where);
  return bytes;
}

function readHeader(segment) {
  if (segment.length > MAX_HEADER) throw bad("token_too_large", `more than ${MAX_HEADER} bytes`, "header");
  const members = parseObject(decodePart(segment, "header"), "header");
  if ([...members.keys()].some((name) => !HEADER_MEMBERS.has(name))) {
    throw bad("unknown_header_member", "a member that may not be there", "header");
  }
  if (members.get("typ") !== "dc+sd-jwt") throw bad("wrong_type", "typ is not dc+sd-jwt", "header typ");
  const algorithm = members.get("alg");
  if (algorithm !== "ES256" && algorithm !== "Ed25519") throw bad("algorithm_not_allowed", "alg is neither ES256 nor Ed25519", "header alg");
  const thumbprint = members.get("kid");
  if (typeof thumbprint !== "string") throw bad("bad_header", "kid is not text", "header kid");
  const chain = members.get("x5c");
  if (!Array.isArray(chain) || chain.length !== 1 || typeof chain[0] !== "string") {
    throw bad("bad_header", "x5c is not a list of one certificate", "header x5c");
  }
  const leaf = fromBase64(chain[0]);
  if (leaf === null) throw bad("bad_base64", "not canonical base64", "header x5c");
  return { algorithm, thumbprint, leaf };
}

// --- Open claims --------------------------------------------------------------------------------------------------

function readOpenClaims(payload) {
  const members = parseObject(payload, "payload");
  checkPresent(members, ALWAYS_OPEN);
  const text = (name) => {
    const value = members.get(name);
    if (typeof value !== "string" || value === "") throw bad("bad_claim", "not text", name);
    return value;
  };
  const [vct, issuer, audience] = [text("vct"), text("iss"), text("aud")];
  const [jti, iat] = [members.get("jti"), members.get("iat")];
  if (typeof jti !== "string" || !UUID7.test(jti)) throw bad("bad_claim", "not a UUIDv7 in lower case", "jti");
  const issuedAt = iat instanceof JsonNumber && iat.isInteger ? Number(iat.text) : -1;
  if (issuedAt < 0 || issuedAt > LAST_SECOND) throw bad("bad_claim", "not whole seconds since 1970", "iat");
  return { vct, issuer, audience, jti, issuedAt, members };
}

function checkPresent(members, names) {
  const missing = names.filter((name) => !members.has(name));
  if (missing.length) throw bad("missing_claim", `missing: ${missing.join(", ")}`, "payload");
}

function kindOf(vct) {
  if (!Object.hasOwn(KINDS, vct)) throw bad("statement", "a kind of statement that this page doesn't know", "vct");
  return KINDS[vct];
}

const requiredOf = (kind) => (kind.selective ? WITH_DIGESTS : ALWAYS_OPEN);

const allowedOf = (kind) => [...requiredOf(kind), ...kind.open];

function checkKind(members, kind) {
  const allowed = new Set(allowedOf(kind));
  if ([...members.keys()].some((name) => !allowed.has(name))) {
    throw bad("claim_not_open", "a claim stands in the open that may not", "payload");
  }
  checkPresent(members, requiredOf(kind));
  if (kind.selective && members.get("_sd_alg") !== "sha-256") {
    throw bad("unknown_digest_algorithm", "unknown digest algorithm", "_sd_alg");
  }
  for (const [name, value] of members) if (!WITH_DIGESTS.includes(name)) refuseReserved(value, `claim ${name}`);
}

function checkIssue(claims, leaf, trust) {
  if (claims.issuer !== leaf.organisation) throw bad("organisation_mismatch", "iss is not the certified organisation", "iss");
  if (trust && claims.audience !== trust.origin) throw bad("wrong_audience", "made for another ledger", "aud");
  if (claims.issuedAt < leaf.notBefore) throw bad("issued_outside_validity", "before the certificate", "iat");
}

// --- Disclosures --------------------------------------------------------------------------------------------------

async function readDisclosure(text, at) {
  const where = `disclosure ${at}`;
  if (text.length > MAX_DISCLOSURE) throw bad("token_too_large", `more than ${MAX_DISCLOSURE} bytes`, where);
  let spelt;
  try {
    spelt = fromUtf8(decodePart(text, where));
  } catch (error) {
    throw error instanceof Refused ? error : bad("bad_json", "not UTF-8", where);
  }
  const parts = parseJsonText(spelt, where);
  const isNamed = Array.isArray(parts) && parts.length === 3 && typeof parts[1] === "string";
  if (!(isNamed || (Array.isArray(parts) && parts.length === 2)) || typeof parts[0] !== "string") {
    throw bad("bad_disclosure", "not [salt, name, value] or [salt, value]", where);
  }
  const [salt, name, value] = isNamed ? parts : [parts[0], null, parts[1]];
  if (NEVER_HIDDEN.has(name)) throw bad("reserved_claim_name", "a name that is never hidden", where);
  if (!/^[A-Za-z0-9_-]{22,}$/.test(salt)) throw bad("bad_disclosure", "the salt has less than 128 bits", where);
  return { digest: toBase64url(await sha256(utf8(text))), salt, name, value, slots: slotsOf(name, value) };
}

/** The digests that a list's elements are; null for any other value. */
function slotsOf(name, value) {
  if (name !== null && Array.isArray(value) && value.length) {
    if (value.every((one) => one instanceof Map && one.size === 1 && one.has("..."))) {
      return checkDigests(value.map((one) => one.get("...")), SMALLEST_LIST, "disclosures");
    }
  }
  refuseReserved(value, "disclosures");
  return null;
}

function refuseReserved(value, where) {
  const pending = [value];
  while (pending.length) {
    const one = pending.pop();
    if (one instanceof Map) {
      if (one.has("_sd") || one.has("...")) throw bad("reserved_claim_name", "`_sd` or `...` inside a claim", where);
    }
    // One by one: as arguments of one call there may be too many.
    if (one instanceof Map || Array.isArray(one)) for (const inner of one.values()) pending.push(inner);
  }
}

function checkDigests(value, smallest, where) {
  const isList = Array.isArray(value) && value.length > 0;
  if (!isList || !value.every((one) => typeof one === "string" && /^[A-Za-z0-9_-]{43}$/.test(one))) {
    throw bad("bad_digest_list", "not a list of SHA-256 digests", where);
  }
  let due = smallest;
  while (due < value.length) due *= 2;
  if (due !== value.length) throw bad("bad_digest_list", `${value.length} digests: not padded`, where);
  return value;
}

const hasTwice = (values) => new Set(values).size !== values.length;

async function arrange(members, disclosures, kind) {
  if (!kind.selective) {
    if (disclosures.length) throw bad("unreferenced_disclosure", "a kind without hidden claims has no disclosures", "disclosures");
    return { committed: null, digests: [], named: [], lines: new Map() };
  }
  const digests = checkDigests(members.get("_sd"), SMALLEST_DIGESTS, "_sd");
  if (digests.some((digest, at) => at > 0 && digest < digests[at - 1])) throw bad("bad_digest_list", "not sorted", "_sd");
  const given = [];
  for (const [at, text] of disclosures.entries()) given.push(await readDisclosure(text, at));
  if (hasTwice(given.map((one) => one.digest))) throw bad("repeated_disclosure", "a disclosure twice", "disclosures");
  if (hasTwice(given.map((one) => one.salt))) throw bad("repeated_salt", "two disclosures share a salt", "disclosures");
  const found = place(digests, given);
  checkNames(found, kind);
  for (const [name, elements] of found.lines) checkLines(name, elements);
  return { committed: members.get("contents_digest"), digests, ...found };
}

/** Each disclosure where its digest stands: claims in `_sd`, lines in their lists. */
function place(digests, given) {
  const waiting = new Map(given.map((one) => [one.digest, one]));
  const take = (all) => {
    const found = all.map((digest) => waiting.get(digest)).filter((one) => one !== undefined);
    for (const one of found) waiting.delete(one.digest);
    return [...new Set(found)];
  };
  const named = take(digests);
  if (named.some((one) => one.name === null)) throw bad("bad_disclosure", "an element where a claim is due", "disclosures");
  if (hasTwice(named.map((one) => one.name))) throw bad("overwriting_disclosure", "two disclosures of one claim", "disclosures");
  const lists = named.filter((one) => one.slots !== null);
  if (hasTwice([...digests, ...lists.flatMap((one) => one.slots)])) {
    throw bad("repeated_digest", "a digest stands twice in the statement", "digests");
  }
  const lines = new Map(lists.map((one) => [one.name, take(one.slots)]));
  if (waiting.size) throw bad("unreferenced_disclosure", `disclosures that no digest stands for: ${waiting.size}`, "disclosures");
  if ([...lines.values()].flat().some((one) => one.name !== null)) {
    throw bad("bad_disclosure", "a claim where an element is due", "disclosures");
  }
  return { named, lines };
}

function checkNames({ named, lines }, kind) {
  const allowed = new Set(allowedOf(kind));
  if (named.some((one) => allowed.has(one.name))) {
    throw bad("overwriting_disclosure", "a disclosure bears the name of an open claim", "disclosures");
  }
  if (named.some((one) => kind.lists.includes(one.name) !== lines.has(one.name))) {
    throw bad("bad_disclosure", "a list of the kind is not given as a list of digests, or another claim is", "disclosures");
  }
}

function checkLines(name, elements) {
  const ids = elements.map((one) => (one.value instanceof Map ? one.value.get("id") : null));
  if (ids.some((id) => typeof id !== "string" || id === "")) throw bad("bad_disclosure", "a line without id", name);
  if (hasTwice(ids)) throw bad("repeated_line", "two lines with one id", name);
}

// --- Contents -----------------------------------------------------------------------------------------------------

/**
 * What the statement has by its `contents`: names of `claims`, and `counts` of the lines of its lists; null where it isn't disclosed.
 * The token names the one disclosure `contents`, and that each claim and line: nothing else can be shown beside it.
 */
function checkContents({ committed, digests, named, lines }) {
  const demand = (holds, what) => {
    if (!holds) throw bad("contents_mismatch", what, "contents");
  };
  if (!digests.length) return null;
  demand(digests.includes(committed), "contents_digest is none of the digests");
  const isTold = (one) => one.digest === committed;
  demand(named.every((one) => (one.name === "contents") === isTold(one)), "not the one disclosure that the token names by its contents_digest");
  const disclosed = named.find(isTold);
  if (disclosed === undefined) return null;
  const { claims, places } = readContents(disclosed.value, demand);
  const others = named.filter((one) => one !== disclosed);
  demand(others.every((one) => claims.get(one.name) === one.digest), "a disclosed claim is not the one that is named");
  const real = [committed, ...claims.values()];
  const known = new Set(digests);
  const isOneEach = !claims.has("contents") && !hasTwice(real) && real.every((digest) => known.has(digest));
  demand(isOneEach, "what is named is not one digest of the statement for each claim");
  const areLists = others.every((one) => places.has(one.name) === lines.has(one.name));
  demand(areLists && [...places.keys()].every((name) => claims.has(name)), "the lists are not those of the claims");
  for (const one of others) if (lines.has(one.name)) checkPlaces(lines.get(one.name), one.slots, places.get(one.name), demand);
  return { claims: [...claims.keys()], counts: new Map([...places].map(([name, those]) => [name, those.length])) };
}

function readContents(value, demand) {
  const [claims, lists] = value instanceof Map ? [value.get("claims"), value.get("lists")] : [];
  demand(claims instanceof Map && lists instanceof Map, "not {claims: {name: digest}, lists: {name: [places]}}");
  const isPlace = (n) => n instanceof JsonNumber && n.isInteger;
  const arePlaces = [...lists.values()].every((one) => Array.isArray(one) && one.every(isPlace));
  demand(arePlaces && [...claims.values()].every((digest) => typeof digest === "string"), "a claim without digest, or places that are no numbers");
  // Of any length: a list that isn't disclosed may be said to be longer than a number here can tell.
  const places = new Map([...lists].map(([name, one]) => [name, one.map((n) => BigInt(n.text))]));
  const isRising = (one) => one.every((n, at) => n > (at ? one[at - 1] : -1n));
  demand([...places.values()].every(isRising), "places that are no rising numbers");
  return { claims, places };
}

function checkPlaces(shown, slots, places, demand) {
  demand(!places.length || places.at(-1) < slots.length, "a line is named beyond the end of its list");
  const real = new Set(places.map((place) => slots[Number(place)]));
  demand(shown.every((line) => real.has(line.digest)), "a disclosed line is not one that is named");
}
