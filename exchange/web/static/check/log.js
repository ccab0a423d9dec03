// The log's side: signed notes, checkpoints, cosignatures, witness policies, proof files and inclusion, as `ledger` reads them
// (C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy, tlog-proof; RFC 9162, section 2.1.3.2).

import { Refused, concat, fromBase64, fromDecimal, fromUtf8, hex, isSame, sha256, utf8 } from "./bytes.js";
import { ed25519Key, isSignedBy } from "./certificates.js";

const MAX_NOTE = 1_000_000;
const MAX_SIGNATURES = 100;
const MAX_PROOF = 63;
const MAX_POLICY = 262_144;
const MAX_WITNESSES = 64;
const LOG = 0x01;
const WITNESS = 0x04;
const PROOF_LINE = "c2sp.org/tlog-proof@v1";
const UNICODE_SPACE = /[\x00-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

const badNote = (what) => new Refused("bad_note", what, "signed note");
const badProofFile = (what) => new Refused("bad_proof_file", `the proof file is malformed: ${what}`, "proof file");
const badPolicy = (what, where) => new Refused("bad_policy", what, where);

// --- Keys ---------------------------------------------------------------------------------------------------------

const isKeyName = (name) => name !== "" && !name.includes("+") && !UNICODE_SPACE.test(name) && !/\p{Surrogate}/u.test(name);

/** A verifier key, `name+id+base64`, of a log or a witness. */
async function parseKey(vkey, type) {
  const bad = (what) => new Refused("bad_key", what, "note key");
  const [name, id, ...rest] = vkey.split("+");
  const key = fromBase64(rest.join("+"));
  if (id === undefined || key === null) throw bad("a verifier key is not name+id+canonical base64");
  if (key[0] !== type || key.length !== 33 || !isKeyName(name)) throw bad("a verifier key has another type, length or name");
  const due = (await sha256(concat(utf8(`${name}\n`), key))).subarray(0, 4);
  if (hex(due) !== id) throw bad("the key id does not belong to the key");
  return { name, type, vkey, place: `${name} ${id}`, publicKey: key.subarray(1), imported: await ed25519Key(key.subarray(1)) };
}

export const parseLogKey = (vkey) => parseKey(vkey, LOG);

async function checkNoteSignature(key, text, signature) {
  const bad = new Refused("bad_signature", `the signature of ${key.name} does not verify`, "signed note");
  let [message, bare] = [text, signature];
  if (key.type === WITNESS) {
    if (signature.length !== 72 || signature[0] >= 0x80) throw bad;
    message = `cosignature/v1\ntime ${timeOfCosignature(signature)}\n${text}`;
    bare = signature.subarray(8);
  }
  if (!(await isSignedBy(key.imported, "Ed25519", bare, utf8(message)))) throw bad;
}

const timeOfCosignature = (signature) => signature.subarray(0, 8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);

// --- Notes and checkpoints ----------------------------------------------------------------------------------------

/** Text and signature lines of a note, whoever signed it. */
export function readNote(note) {
  if (note.length > MAX_NOTE) throw badNote("the note is too long");
  if (/[\x00-\x09\x0b-\x1f]|\p{Surrogate}/u.test(note)) throw badNote("the note holds a control character");
  const at = note.lastIndexOf("\n\n");
  if (at <= 0 || !note.endsWith("\n") || at + 2 >= note.length) throw badNote("the note has no signature lines after a blank line");
  const lines = note.slice(at + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw badNote("the note has too many signatures");
  const signatures = new Map(lines.map(readSignature));
  if (signatures.size !== lines.length) throw badNote("a key has signed twice");
  return { text: note.slice(0, at + 1), signatures };
}

function readSignature(line) {
  const [dash, name, encoded, ...rest] = line.split(" ");
  const blob = fromBase64(encoded ?? "");
  if (dash !== "\u2014" || rest.length || blob === null || blob.length < 5 || !isKeyName(name)) {
    throw badNote("a signature line is malformed");
  }
  return [`${name} ${hex(blob.subarray(0, 4))}`, blob.subarray(4)];
}

/** The note's text and which of the keys signed it; each signature of a key that is given has to verify. */
async function openNote(note, keys) {
  const { text, signatures } = readNote(note);
  const signed = new Map();
  const known = new Map(keys.map((key) => [key.place, key]));
  for (const [place, signature] of signatures) {
    const key = known.get(place);
    if (key === undefined) continue;
    await checkNoteSignature(key, text, signature);
    signed.set(key, signature);
  }
  if (!signed.size) throw new Refused("unknown_signer", "no trusted key has signed the checkpoint", "signed note");
  return { text, signed };
}

/** Origin, size and root in a note's text. */
export function parseCheckpoint(text) {
  const bad = (what) => new Refused("bad_checkpoint", what, "checkpoint");
  const lines = text.split("\n");
  if (lines.length !== 4) throw bad("a checkpoint has exactly three lines: origin, size and root");
  const [size, root] = [fromDecimal(lines[1]), fromBase64(lines[2])];
  if (size === null || root === null || root.length !== 32 || !isKeyName(lines[0])) throw bad("origin, size or root has another form");
  return { origin: lines[0], size, root };
}

/** The checkpoint in a note that one of the log's keys signed. */
export async function openCheckpoint(note, keys) {
  const { text, signed } = await openNote(note, keys);
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.origin !== keys[0].name) {
    throw new Refused("wrong_origin", "the checkpoint's origin is not the key's name", "checkpoint");
  }
  return { ...checkpoint, signers: [...signed.keys()] };
}

// --- Inclusion ----------------------------------------------------------------------------------------------------

/** A proof file taken apart: index, path and the checkpoint note, unopened. */
export function parseProof(bytes) {
  if (bytes.length > 2 * MAX_NOTE) throw badProofFile("it is too long");
  let text;
  try {
    text = fromUtf8(bytes);
  } catch {
    throw badProofFile("it is not UTF-8");
  }
  const at = text.indexOf("\n\n");
  const lines = text.slice(0, Math.max(at, 0)).split("\n");
  if (at < 0 || lines.shift() !== PROOF_LINE) throw badProofFile("it does not begin like a proof file");
  if (lines[0]?.startsWith("extra ") && fromBase64(lines.shift().slice(6)) === null) throw badProofFile("a line is not base64");
  const index = fromDecimal(lines[0]?.startsWith("index ") ? lines.shift().slice(6) : "");
  const path = lines.map(fromBase64);
  if (index === null) throw badProofFile("it has no index");
  if (path.length > MAX_PROOF || path.some((hash) => hash?.length !== 32)) throw badProofFile("a hash is not 32 bytes in base64");
  return { index, path, checkpoint: text.slice(at + 2) };
}

export const leafHash = (token) => sha256(concat([0], utf8(token)));

/** Throws unless the leaf hash stands at `index` of the tree with this size and root. */
export async function checkInclusion(leaf, index, { size, root }, path) {
  const bad = (what) => new Refused("bad_proof", what, "inclusion proof");
  if (index >= size) throw bad(`index ${index} is not in a tree of size ${size}`);
  // Up to `inner` the path lies below the point where it meets the right edge; above, all siblings are left.
  const inner = (index ^ (size - 1n)).toString(2).replace(/^0$/, "").length;
  const above = index >> BigInt(inner);
  const due = inner + above.toString(2).replace(/0/g, "").length;
  if (path.length !== due) throw bad(`the proof has ${path.length} hashes and must have ${due}`);
  let value = leaf;
  for (const [height, sibling] of path.entries()) {
    const isRight = height >= inner || ((index >> BigInt(height)) & 1n) === 1n;
    value = await sha256(isRight ? concat([1], sibling, value) : concat([1], value, sibling));
  }
  if (!isSame(value, root)) throw bad("the path does not lead to the root");
}

// --- Witnesses ----------------------------------------------------------------------------------------------------

/** A witness policy (C2SP tlog-policy) as ledger.policy reads it. */
export async function parsePolicy(text) {
  if (utf8(text).length > MAX_POLICY) throw badPolicy(`the policy is longer than ${MAX_POLICY} bytes`, "policy");
  if (text !== "" && !text.endsWith("\n")) throw badPolicy("the last line does not end in a newline: the file may be cut", "policy");
  const policy = new Policy();
  for (const [at, line] of text.split("\n").entries()) {
    if (/[\x00-\x08\x0b-\x1f\x7f]/.test(line)) throw badPolicy("the line holds a control character", `policy line ${at + 1}`);
    const words = line.split(/[ \t]+/).filter((word) => word !== "");
    if (words.length && !words[0].startsWith("#")) await policy.take(words, `policy line ${at + 1}`);
  }
  if (policy.quorum === null) throw badPolicy("the policy has no quorum line", "policy");
  return policy;
}

class Policy {
  constructor() {
    this.logs = [];
    this.witnesses = [];
    this.groups = [];
    this.quorum = null;
    this.names = new Set(["none"]);
    this.members = new Set();
    this.keys = new Set();
  }

  async take([kind, ...words], where) {
    const demand = (holds, what) => {
      if (!holds) throw badPolicy(what, where);
    };
    if (kind === "log") {
      demand(words.length === 1 || words.length === 2, "a log line is `log <vkey> [<url>]`");
      this.logs.push(await this.key(words[0], LOG, where));
    } else if (kind === "witness") {
      demand(words.length === 2 || words.length === 3, "a witness line is `witness <name> <vkey> [<url>]`");
      demand(this.witnesses.length < MAX_WITNESSES, `the policy has more than ${MAX_WITNESSES} witnesses`);
      demand(!this.names.has(words[0]), "the name is taken");
      this.names.add(words[0]);
      this.witnesses.push({ name: words[0], key: await this.key(words[1], WITNESS, where) });
    } else if (kind === "group") {
      const [name, rule, ...members] = words;
      demand(members.length > 0, "a group line is `group <name> <k|any|all> <member>...`");
      for (const member of members) {
        demand(member !== "none" && this.names.has(member), "a member is not defined on a line before");
        demand(!this.members.has(member), "a member stands twice");
        this.members.add(member);
      }
      demand(!this.names.has(name), "the name is taken");
      this.names.add(name);
      const threshold = { any: 1, all: members.length }[rule] ?? (/^[1-9][0-9]{0,5}$/.test(rule) ? Number(rule) : 0);
      demand(threshold >= 1 && threshold <= members.length, "a threshold is any, all or a number of members");
      this.groups.push({ name, threshold, members });
    } else {
      demand(kind === "quorum", "no line begins so");
      demand(words.length === 1 && this.quorum === null, "there is one quorum line, `quorum <name|none>`");
      demand(this.names.has(words[0]), "the quorum is not defined on a line before");
      this.quorum = words[0];
    }
  }

  async key(vkey, type, where) {
    const key = await parseKey(vkey, type).catch((error) => {
      throw error instanceof Refused ? badPolicy(error.message, where) : error;
    });
    const place = `${type} ${hex(key.publicKey)}`;
    if (this.keys.has(place)) throw badPolicy("the key stands on another line already", where);
    this.keys.add(place);
    return key;
  }

  /** Throws unless the policy is for the log with these keys. */
  checkIsFor(keys) {
    if (this.logs.length && !this.logs.some((log) => keys.some((key) => key.vkey === log.vkey))) {
      throw badPolicy("the policy is not for this log with this key", "policy");
    }
  }

  /** Whether the log's operator runs a witness, by its own showing: it is shown and never counts. */
  isOwn(witness, keys) {
    return keys.some(
      (log) =>
        witness.key.name === log.name ||
        witness.key.name.startsWith(`${log.name}/`) ||
        isSame(witness.key.publicKey, log.publicKey),
    );
  }

  reached(names) {
    const have = new Set(names);
    for (const group of this.groups) {
      if (group.members.filter((member) => have.has(member)).length >= group.threshold) have.add(group.name);
    }
    return this.quorum === "none" || have.has(this.quorum);
  }

  /** Whether the quorum can be made without the log's own witnesses. */
  isAttainable(keys) {
    return this.reached(this.witnesses.filter((one) => !this.isOwn(one, keys)).map((one) => one.name));
  }

  /** Who of the policy's witnesses cosigned the checkpoint, when, and whether that is the quorum. */
  async evaluate(note, logKeys) {
    const logs = this.logs.length ? this.logs.filter((log) => logKeys.some((key) => key.vkey === log.vkey)) : logKeys;
    const { text, signed } = await openNote(note, [...logs, ...this.witnesses.map((one) => one.key)]);
    const { origin } = parseCheckpoint(text);
    if (![...signed.keys()].some((key) => key.type === LOG && key.name === origin)) {
      throw new Refused("unknown_signer", "no log of the policy has signed the checkpoint", "signed note");
    }
    const found = this.witnesses
      .filter((one) => signed.has(one.key))
      .map((one) => ({
        name: one.name,
        keyName: one.key.name,
        time: timeOfCosignature(signed.get(one.key)),
        isOwn: this.isOwn(one, logs),
      }));
    return { cosignatures: found, isSatisfied: this.reached(found.filter((one) => !one.isOwn).map((one) => one.name)) };
  }
}
