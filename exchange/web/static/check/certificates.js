// X.509 certificates (RFC 5280) as signer.certificates and signer.chains judge them: a small reader of strict DER, one URI per
// leaf, and a chain from the leaf over at most one intermediate to an authority of the trust file.

import { Refused, Undecidable, fromBase64, hex, isSame, sha256, toBase64url, utf8 } from "./bytes.js";

const MAX_LEAF = 4096;
const MAX_URI = 512;
const PATH_LENGTH = 1;
const [BOOLEAN, INTEGER, BITS, OCTETS, OID, UTC_TIME, GENERAL_TIME, SEQUENCE, SET] = [1, 2, 3, 4, 6, 0x17, 0x18, 0x30, 0x31];
const BASIC_CONSTRAINTS = "551d13";
const KEY_USAGE = "551d0f";
const ALTERNATIVE_NAME = "551d11";
const EXTENDED_KEY_USAGE = "551d25";
const READ = new Set([BASIC_CONSTRAINTS, KEY_USAGE, ALTERNATIVE_NAME, EXTENDED_KEY_USAGE]);
// RFC 9336, document signing, and any purpose.
const PURPOSES = new Set(["2b06010505070324", "551d2500"]);
// What comes before the last byte of a signature algorithm's name, which stands for the hash.
const [ECDSA, RSA] = ["2a8648ce3d0403", "2a864886f70d0101"];
const RSA_PSS = "2a864886f70d01010a";
const HASHES = { "02": "SHA-256", "03": "SHA-384", "04": "SHA-512" };
const RSA_HASHES = { "0b": "SHA-256", "0c": "SHA-384", "0d": "SHA-512" };
const EC_KEY = "2a8648ce3d0201";
const RSA_KEY = "2a864886f70d010101";
const ED25519_KEY = "2b6570";
const CURVES = { "2a8648ce3d030107": ["P-256", 32], "2b81040022": ["P-384", 48], "2b81040023": ["P-521", 66] };

const badCertificate = (what) => new Refused("bad_certificate", what, "certificate");
const notTrusted = (what) => new Refused("certificate_not_trusted", what, "certificate");

// --- DER ----------------------------------------------------------------------------------------------------------

/** One element of DER: its tag, its content, all its bytes. */
class Element {
  constructor(tag, content, bytes) {
    this.tag = tag;
    this.content = content;
    this.bytes = bytes;
  }

  /** The elements inside. */
  get inside() {
    const found = [];
    for (let at = 0; at < this.content.length; ) {
      const one = readElement(this.content, at);
      found.push(one);
      at += one.bytes.length;
    }
    return found;
  }

  as(tag) {
    if (this.tag !== tag) throw badCertificate("an element of another kind than the form demands");
    return this;
  }
}

function readElement(bytes, at) {
  const cut = badCertificate("not DER");
  let length = bytes[at + 1];
  let start = at + 2;
  if (length === undefined || (bytes[at] & 0x1f) === 0x1f) throw cut;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 3 || start + count > bytes.length || bytes[start] === 0) throw cut;
    length = bytes.subarray(start, start + count).reduce((sum, byte) => sum * 256 + byte, 0);
    if (length < 0x80) throw cut;
    start += count;
  }
  if (start + length > bytes.length) throw cut;
  return new Element(bytes[at], bytes.subarray(start, start + length), bytes.subarray(at, start + length));
}

function wholeElement(bytes, tag) {
  const found = readElement(bytes, 0).as(tag);
  if (found.bytes.length !== bytes.length) throw badCertificate("bytes after its end");
  return found;
}

// --- What a certificate says --------------------------------------------------------------------------------------

/** What `read` makes of DER; where an element is missing that it reaches for, the certificate is bad. */
function reading(read) {
  try {
    return read();
  } catch (error) {
    throw error instanceof TypeError ? badCertificate("an element is missing") : error;
  }
}

/** A certificate taken apart; nothing of it is believed yet. Times are seconds since 1970. */
export const readCertificate = (der) => reading(() => partsOf(der));

function partsOf(der) {
  const outer = wholeElement(der, SEQUENCE).inside;
  if (outer.length !== 3) throw badCertificate("not a certificate");
  const [signed, algorithm, signature] = [outer[0].as(SEQUENCE), outer[1].as(SEQUENCE), outer[2].as(BITS)];
  const parts = signed.inside;
  if (parts.length < 7 || parts[0].tag !== 0xa0 || hex(parts[0].content) !== "020102") {
    throw badCertificate("not a certificate of version 3");
  }
  const [, serial, inner, issuer, validity, subject, key, ...rest] = parts;
  if (!isSame(inner.bytes, algorithm.bytes)) throw badCertificate("two signature algorithms");
  for (const name of [issuer, subject]) checkName(name);
  if (rest.some((one, at) => ![0x81, 0x82, 0xa3].includes(one.tag) || (at > 0 && one.tag <= rest[at - 1].tag))) {
    throw badCertificate("something that has no place in it");
  }
  const times = validity.as(SEQUENCE).inside.map(timeOf);
  if (times.length !== 2 || signature.content[0] !== 0) throw badCertificate("not a certificate");
  return {
    der,
    signed: signed.bytes,
    serial: serial.as(INTEGER).content,
    signedWith: hex(algorithm.inside[0].as(OID).content),
    signature: signature.content.subarray(1),
    issuer: issuer.bytes,
    subject: subject.bytes,
    notBefore: times[0],
    notAfter: times[1],
    key: readKey(key.as(SEQUENCE)),
    extensions: readExtensions(rest),
  };
}

/** A name is a list of sets of pairs, each a kind and a value. */
function checkName(name) {
  const pairs = name.as(SEQUENCE).inside.flatMap((set) => set.as(SET).inside);
  for (const pair of pairs) {
    const parts = pair.as(SEQUENCE).inside;
    if (parts.length !== 2 || parts[0].tag !== OID) throw badCertificate("a name in another form");
  }
}

/** True, which DER spells in one way; false is spelt by leaving it out. */
function isTrue(element) {
  if (hex(element.content) !== "ff") throw badCertificate("a truth value in another form");
  return true;
}

function timeOf(element) {
  const text = String.fromCharCode(...element.content);
  const parts = { [UTC_TIME]: /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, [GENERAL_TIME]: /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ };
  const found = parts[element.tag]?.exec(text);
  if (!found) throw badCertificate("a time in another form");
  const [year, month, ...rest] = found.slice(1).map(Number);
  const full = element.tag === GENERAL_TIME ? year : year + (year < 50 ? 2000 : 1900);
  return Date.UTC(full, month - 1, ...rest) / 1000;
}

function readKey(info) {
  const [algorithm, point] = info.inside;
  const [name, parameter] = algorithm.as(SEQUENCE).inside.map((one) => hex(one.content));
  return { info: info.bytes, name, curve: CURVES[parameter], point: point.as(BITS).content.subarray(1) };
}

function readExtensions(rest) {
  const found = new Map();
  const list = rest.find((one) => one.tag === 0xa3);
  if (list === undefined) return found;
  for (const one of wholeElement(list.content, SEQUENCE).inside) {
    const parts = one.as(SEQUENCE).inside;
    const name = hex(parts[0].as(OID).content);
    if (found.has(name)) throw badCertificate("an extension twice");
    const isCritical = parts.length === 3 && isTrue(parts[1].as(BOOLEAN));
    found.set(name, { isCritical, content: parts[parts.length - 1].as(OCTETS).content });
  }
  return found;
}

function extension(certificate, name) {
  const found = certificate.extensions.get(name);
  if (found === undefined) throw badCertificate("it lacks an extension");
  return found;
}

function constraintsOf(certificate) {
  const { isCritical, content } = extension(certificate, BASIC_CONSTRAINTS);
  const parts = wholeElement(content, SEQUENCE).inside;
  const isAuthority = parts[0]?.tag === BOOLEAN && isTrue(parts[0]);
  const length = parts.find((one) => one.tag === INTEGER);
  return { isCritical, isAuthority, pathLength: length === undefined ? Infinity : parseInt(hex(length.content), 16) };
}

const mayDo = (certificate, bit) => (wholeElement(extension(certificate, KEY_USAGE).content, BITS).content[1] & bit) !== 0;

function isForDocuments(certificate) {
  const usage = certificate.extensions.get(EXTENDED_KEY_USAGE);
  if (usage === undefined) return true;
  return wholeElement(usage.content, SEQUENCE).inside.some((one) => PURPOSES.has(hex(one.as(OID).content)));
}

/** The leaf of a statement: organisation, thumbprint, algorithm and key; whatever an authority says of it is not checked here. */
export async function readLeaf(der) {
  if (der.length > MAX_LEAF) throw badCertificate(`longer than ${MAX_LEAF} bytes`);
  const leaf = readCertificate(der);
  reading(() => checkUse(leaf));
  const organisation = reading(() => organisationOf(leaf));
  return { ...leaf, ...(await publicKey(leaf.key)), organisation };
}

function checkUse(leaf) {
  if (constraintsOf(leaf).isAuthority) throw badCertificate("an authority's certificate signs no statements");
  if (!mayDo(leaf, 0x80)) throw badCertificate("its key may not sign");
  if (!isForDocuments(leaf)) throw badCertificate("its key was certified for other purposes");
}

function organisationOf(leaf) {
  const names = wholeElement(extension(leaf, ALTERNATIVE_NAME).content, SEQUENCE).inside;
  const uri = names.length === 1 && names[0].tag === 0x86 ? String.fromCharCode(...names[0].content) : "";
  if (uri.length > MAX_URI || !/^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/.test(uri)) {
    throw badCertificate("the subject alternative name is not exactly one URI");
  }
  return uri;
}

/** Thumbprint (RFC 7638) and key of a leaf; `publicKey` is null where this browser can't use it. */
async function publicKey({ info, name, curve, point }) {
  if (name === ED25519_KEY && point.length === 32) {
    const jwk = `{"crv":"Ed25519","kty":"OKP","x":"${toBase64url(point)}"}`;
    return { algorithm: "Ed25519", thumbprint: toBase64url(await sha256(utf8(jwk))), publicKey: await ed25519Key(point) };
  }
  if (name !== EC_KEY || curve?.[0] !== "P-256" || point.length !== 65 || point[0] !== 4) {
    throw new Refused("bad_key", "not a P-256 or Ed25519 key", "public key");
  }
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map(toBase64url);
  const thumbprint = toBase64url(await sha256(utf8(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`)));
  try {
    const key = await crypto.subtle.importKey("spki", info, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
    return { algorithm: "ES256", thumbprint, publicKey: key };
  } catch {
    throw badCertificate("its key is no point of the curve");
  }
}

/** An Ed25519 key from its 32 bytes; null where this browser knows no Ed25519. */
export async function ed25519Key(bytes) {
  try {
    return await crypto.subtle.importKey("raw", bytes, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return null;
  }
}

/** Whether 64 bytes are the key's signature over the message; throws Undecidable where this browser can't tell. */
export async function isSignedBy(publicKey, algorithm, signature, message) {
  if (publicKey === null) {
    throw new Undecidable("no_ed25519", "this browser has no Ed25519: the signature could not be checked here", "signature");
  }
  const how = algorithm === "ES256" ? { name: "ECDSA", hash: "SHA-256" } : { name: "Ed25519" };
  return signature.length === 64 && crypto.subtle.verify(how, publicKey, signature, message);
}

// --- Who vouches for it -------------------------------------------------------------------------------------------

/** The DER of the first certificate in PEM, or null; lines of explanation may come before it. */
export function fromPem(text) {
  const found = /^(?:[^-][^\n]*\n|\n)*-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\s]*)\n-----END CERTIFICATE-----/.exec(text);
  return found && fromBase64(found[1].replace(/\s/g, ""));
}

/** Throws unless a chain leads from the leaf to one of the authorities that may speak for it, all valid at `at`. */
export async function checkChain(leaf, trust, at) {
  if (at < leaf.notBefore || at > leaf.notAfter) {
    throw new Refused("certificate_not_valid", "the certificate is not valid at the time that the statement gives", "certificate");
  }
  const anchors = [...trust.authorities, ...(trust.pinned.get(leaf.organisation) ?? [])];
  if (anchors.some((anchor) => isSame(anchor.der, leaf.der))) throw notTrusted("it stands among the authorities itself");
  const search = { at, unread: null };
  for (const anchor of anchors) if (await isIssued(leaf, anchor, 0, search)) return { anchor, over: null };
  for (const between of trust.intermediates) {
    if (!(await isIssued(leaf, between, 0, search))) continue;
    for (const anchor of anchors) if (await isIssued(between, anchor, PATH_LENGTH, search)) return { anchor, over: between };
  }
  if (search.unread !== null) throw new Undecidable("not_read_here", search.unread, "certificate");
  throw notTrusted("no authority of the trust file vouches for it at that time");
}

async function isIssued(child, authority, below, search) {
  if (!isSame(child.issuer, authority.subject) || !mayCertify(authority, below, search.at)) return false;
  if ([child, authority].some((one) => hasUnknownCritical(one) || !hasSerial(one))) return false;
  return isCertificateSignedBy(child, authority.key, search);
}

function mayCertify(authority, below, at) {
  if (at < authority.notBefore || at > authority.notAfter) return false;
  try {
    const { isCritical, isAuthority, pathLength } = constraintsOf(authority);
    return isCritical && isAuthority && pathLength >= below && mayDo(authority, 0x04) && isForDocuments(authority);
  } catch {
    return false;
  }
}

const hasUnknownCritical = ({ extensions }) => [...extensions].some(([name, one]) => one.isCritical && !READ.has(name));

/** RFC 5280, 4.1.2.2: positive, of at most 20 octets. */
const hasSerial = ({ serial }) => serial.length >= 1 && serial.length <= 20 && serial[0] < 0x80 && serial.some((byte) => byte !== 0);

async function isCertificateSignedBy({ signedWith, signature, signed }, { info, name, curve }, search) {
  const [family, hash] = [signedWith.slice(0, -2), signedWith.slice(-2)];
  if (name === EC_KEY && curve !== undefined && family === ECDSA && HASHES[hash]) {
    const raw = rawSignature(signature, curve[1]);
    if (raw === null) return false;
    return verifyWith(info, { name: "ECDSA", namedCurve: curve[0] }, { name: "ECDSA", hash: HASHES[hash] }, raw, signed);
  }
  if (name === RSA_KEY && family === RSA && RSA_HASHES[hash]) {
    const how = { name: "RSASSA-PKCS1-v1_5", hash: RSA_HASHES[hash] };
    return modulusBits(info) >= 2048 && verifyWith(info, how, how, signature, signed);
  }
  if (signedWith === RSA_PSS) search.unread = "an authority signs by RSA-PSS, which this page doesn't read";
  return false;
}

async function verifyWith(info, keyAlgorithm, algorithm, signature, message) {
  try {
    const key = await crypto.subtle.importKey("spki", info, keyAlgorithm, false, ["verify"]);
    return await crypto.subtle.verify(algorithm, key, signature, message);
  } catch {
    return false;
  }
}

/** R || S of an ECDSA signature in DER; null where it is none. */
function rawSignature(der, length) {
  const raw = new Uint8Array(2 * length);
  try {
    const numbers = wholeElement(der, SEQUENCE).inside.map((one) => one.as(INTEGER).content);
    if (numbers.length !== 2) return null;
    for (const [place, number] of numbers.entries()) {
      const digits = number[0] === 0 ? number.subarray(1) : number;
      if (digits.length > length) return null;
      raw.set(digits, (place + 1) * length - digits.length);
    }
  } catch {
    return null;
  }
  return raw;
}

function modulusBits(info) {
  const [, bits] = wholeElement(info, SEQUENCE).inside;
  const [modulus] = wholeElement(bits.content.subarray(1), SEQUENCE).inside;
  const digits = modulus.content[0] === 0 ? modulus.content.subarray(1) : modulus.content;
  return digits.length * 8 - Math.clz32(digits[0]) + 24;
}
