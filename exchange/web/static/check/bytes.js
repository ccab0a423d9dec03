// Bytes and their spellings. Each spelling is taken in its one canonical form only, as signer.base64url and ledger.encoding do.

/** Why a check ended: `code` is the one that the Python verifier gives for the same defect. */
export class Refused extends Error {
  constructor(code, what, where) {
    super(what);
    this.code = code;
    this.where = where;
  }
}

/** Nothing false was found, and something needed is missing or can't be read here. */
export class Undecidable extends Refused {}

const ENCODER = new TextEncoder();

export const utf8 = (text) => ENCODER.encode(text);

/** UTF-8 as text; throws TypeError for anything else. A byte order mark is a character like others. */
export const fromUtf8 = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const isSame = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

export const isAscii = (text) => /^[\x00-\x7f]*$/.test(text);

export function concat(...pieces) {
  const joined = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** The bytes of padded base64 (RFC 4648, section 4), or null for any spelling but the one that `toBase64` gives. */
export function fromBase64(text) {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return null;
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
  return toBase64(bytes) === text ? bytes : null;
}

export function toBase64(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

/** The bytes of base64url without padding (RFC 7515, section 2), or null. */
export function fromBase64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  return fromBase64(text.replace(/-/g, "+").replace(/_/g, "/") + "=".repeat((4 - (text.length % 4)) % 4));
}

export const toBase64url = (bytes) => toBase64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** The number that 0 to 2^63 - 1 is spelt by, in ASCII digits without leading zeros; null for anything else. */
export function fromDecimal(text) {
  if (!/^(0|[1-9][0-9]{0,18})$/.test(text)) return null;
  const number = BigInt(text);
  return number < 1n << 63n ? number : null;
}
