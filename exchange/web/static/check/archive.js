// One entry out of an evidence file: a zip whose members are stored, read piece by piece, so that a large file needs no memory.
// That the archive is in its one written form, and holds what its manifest says, is for `packtrace verify`.

import { Refused, fromBase64, fromBase64url, fromUtf8 } from "./bytes.js";
import { parseObject } from "./json.js";

const MAX_DIRECTORY = 64 * 1024 * 1024;
const MAX_MEMBER = 64 * 1024 * 1024;
const MAX_INTERMEDIATES = 64;
const KEY_EVENT = "urn:packtrace:key-event:1";
const [LOCAL, CENTRAL, END, END64, LOCATOR64] = [0x04034b50, 0x02014b50, 0x06054b50, 0x06064b50, 0x07064b50];

const unreadable = (what, where = "archive") => new Refused("evidence", `not an evidence file: ${what}`, where);

const viewOf = async (blob, start, stop) => new DataView(await blob.slice(start, stop).arrayBuffer());

const wordAt = (view, at) => (at + 4 <= view.byteLength ? view.getUint32(at, true) : -1);

const longAt = (view, at) => Number(view.getBigUint64(at, true));

const folderOf = (index) => `entries/${String(index).padStart(12, "0")}`;

/** An evidence file in a Blob, by its directory. */
export class Archive {
  constructor(blob, places) {
    this.blob = blob;
    this.places = places;
  }

  static async open(blob) {
    const { start, size } = await directoryOf(blob);
    if (size > MAX_DIRECTORY || start + size > blob.size) throw unreadable("its directory is too large or cut");
    return new Archive(blob, placesIn(await viewOf(blob, start, start + size)));
  }

  /** The indices of the entries in it, in order. */
  get indices() {
    const found = [...this.places.keys()].map((name) => /^entries\/([0-9]{12})\/token$/.exec(name)).filter((one) => one !== null);
    return found.map((one) => Number(one[1])).sort((one, other) => one - other);
  }

  /** The statement, its disclosures and its proof of the entry at `index`. */
  async entry(index) {
    const folder = folderOf(index);
    const token = await this.token(index);
    const lines = textOf(await this.member(`${folder}/disclosures`), `${folder}/disclosures`).split("\n");
    if (lines.pop() !== "" || lines.includes("")) throw new Refused("rejected", "not a disclosure on each line", `${folder}/disclosures`);
    if (token.includes("~")) throw new Refused("malformed_token", "more than a token", `${folder}/token`);
    return { statement: token, disclosures: lines, proof: await this.member(`${folder}/proof`) };
  }

  async token(index) {
    const name = `${folderOf(index)}/token`;
    return textOf(await this.member(name), name);
  }

  /**
   * The intermediates (DER) that came with the keys of the entries, as key events carry them. They count for nothing: each has to lead
   * to an authority of the trust file.
   */
  async intermediates() {
    const found = new Map();
    for (const index of this.indices) {
      for (const text of carriedBy(await this.token(index))) found.set(text, fromBase64(text));
      if (found.size > MAX_INTERMEDIATES) throw unreadable("more intermediates than this page reads");
    }
    return [...found.values()].filter((der) => der !== null);
  }

  /** The trust file that the evidence suggests, never an anchor; null where there is none. */
  async suggestion() {
    return this.places.has("trust.json") ? this.member("trust.json") : null;
  }

  async member(name) {
    const place = this.places.get(name);
    if (place === undefined) throw new Refused("rejected", "a file is missing", name);
    const { start, size } = place;
    if (size > MAX_MEMBER) throw unreadable("a member is too large for this page", name);
    const head = await viewOf(this.blob, start, start + 30);
    if (wordAt(head, 0) !== LOCAL || head.byteLength < 30) throw unreadable("a member is not where the directory says", name);
    const content = start + 30 + head.getUint16(26, true) + head.getUint16(28, true);
    const bytes = new Uint8Array(await this.blob.slice(content, content + size).arrayBuffer());
    if (bytes.length !== size) throw unreadable("a member is cut", name);
    return bytes;
  }
}

/** The claim `chain` of a key event, which nobody has verified yet; nothing for any other token. */
function carriedBy(token) {
  try {
    const payload = parseObject(fromBase64url(token.split(".")[1]), "payload");
    const chain = payload.get("vct") === KEY_EVENT ? payload.get("chain") : [];
    return Array.isArray(chain) ? chain.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

function textOf(bytes, name) {
  try {
    return fromUtf8(bytes);
  } catch {
    throw new Refused("rejected", "the file is not UTF-8", name);
  }
}

/** Where the directory stands: after all members, and named by the end record, which is last. */
async function directoryOf(blob) {
  const end = await viewOf(blob, Math.max(blob.size - 22, 0), blob.size);
  if (end.byteLength < 22 || wordAt(end, 0) !== END) throw unreadable("it has no directory");
  const [size, start] = [wordAt(end, 12), wordAt(end, 16)];
  const isLong = start === 0xffffffff || size === 0xffffffff || end.getUint16(10, true) === 0xffff;
  if (!isLong) return { size, start };
  const locator = await viewOf(blob, Math.max(blob.size - 42, 0), blob.size - 22);
  if (wordAt(locator, 0) !== LOCATOR64 || locator.byteLength < 20) return { size, start };
  const long = await viewOf(blob, longAt(locator, 8), longAt(locator, 8) + 56);
  if (wordAt(long, 0) !== END64 || long.byteLength < 56) throw unreadable("its directory is cut");
  return { size: longAt(long, 40), start: longAt(long, 48) };
}

function placesIn(view) {
  const places = new Map();
  for (let at = 0; at < view.byteLength; ) {
    if (wordAt(view, at) !== CENTRAL || at + 46 > view.byteLength) throw unreadable("its directory has another form");
    const length = view.getUint16(at + 28, true);
    const [extra, comment] = [view.getUint16(at + 30, true), view.getUint16(at + 32, true)];
    const name = String.fromCharCode(...new Uint8Array(view.buffer, at + 46, Math.min(length, view.byteLength - at - 46)));
    const [packed, size, start] = [wordAt(view, at + 20), wordAt(view, at + 24), wordAt(view, at + 42)];
    if (view.getUint16(at + 10, true) !== 0 || packed !== size) throw unreadable("a member is compressed", name);
    if ((view.getUint16(at + 8, true) & 1) !== 0) throw unreadable("a member is encrypted", name);
    if (start === 0xffffffff || size === 0xffffffff) throw unreadable("larger than this page reads", name);
    if (places.has(name)) throw unreadable("a member twice", name);
    places.set(name, { start, size });
    at += 46 + length + extra + comment;
  }
  return places;
}
