// JSON that can be read in one way only, as signer.strict_json reads it: no member twice, no lone surrogate, bounded depth.
//
// Objects are maps, so that no name means anything to JavaScript; numbers keep their spelling, so that none is rounded.

import { Refused, fromUtf8 } from "./bytes.js";

const MAX_DEPTH = 32;
const MAX_DIGITS = 4300;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const PLAIN = /[^"\\\x00-\x1f]*/y;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** A number as it was written. */
export class JsonNumber {
  constructor(text, isInteger) {
    this.text = text;
    this.isInteger = isInteger;
  }
}

const badJson = (what, where) => new Refused("bad_json", what, where);

/** The value that the bytes spell: Map, array, string, JsonNumber, boolean or null. */
export function parseJson(bytes, where) {
  let text;
  try {
    text = fromUtf8(bytes);
  } catch {
    throw badJson("not UTF-8", where);
  }
  return parseJsonText(text, where);
}

export function parseJsonText(text, where) {
  return new Reader(text, where).read();
}

export function parseObject(bytes, where) {
  const value = parseJson(bytes, where);
  if (!(value instanceof Map)) throw badJson("not a JSON object", where);
  return value;
}

class Reader {
  constructor(text, where) {
    this.text = text;
    this.where = where;
    this.at = 0;
  }

  read() {
    const value = this.value(0);
    this.space();
    if (this.at !== this.text.length) throw this.bad();
    return value;
  }

  bad() {
    return badJson(`not JSON at character ${this.at}`, this.where);
  }

  space() {
    while (" \t\n\r".includes(this.text[this.at] || "x")) this.at += 1;
  }

  take(character) {
    this.space();
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  value(depth) {
    this.space();
    const first = this.text[this.at];
    if (first === "{" || first === "[") {
      if (depth === MAX_DEPTH) throw new Refused("too_deep", `nested deeper than ${MAX_DEPTH} levels`, this.where);
      this.at += 1;
      return first === "{" ? this.object(depth + 1) : this.list(depth + 1);
    }
    if (first === '"') return this.string();
    for (const [word, value] of [["true", true], ["false", false], ["null", null]]) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  object(depth) {
    const members = new Map();
    let count = 0;
    if (this.take("}")) return members;
    do {
      this.space();
      if (this.text[this.at] !== '"') throw this.bad();
      const name = this.string();
      if (!this.take(":")) throw this.bad();
      members.set(name, this.value(depth));
      count += 1;
    } while (this.take(","));
    if (!this.take("}")) throw this.bad();
    if (members.size !== count) throw new Refused("duplicate_member", "a member is named twice", this.where);
    return members;
  }

  list(depth) {
    const values = [];
    if (this.take("]")) return values;
    do values.push(this.value(depth));
    while (this.take(","));
    if (!this.take("]")) throw this.bad();
    return values;
  }

  string() {
    this.at += 1;
    let found = "";
    for (;;) {
      PLAIN.lastIndex = this.at;
      const [plain] = PLAIN.exec(this.text);
      found += plain;
      this.at += plain.length;
      if (this.text[this.at] === '"') break;
      if (this.text[this.at] !== "\\") throw this.bad();
      found += this.escape();
    }
    this.at += 1;
    if (/\p{Surrogate}/u.test(found)) throw badJson("a surrogate stands alone", this.where);
    return found;
  }

  escape() {
    const letter = this.text[this.at + 1];
    if (letter !== "u") {
      if (!Object.hasOwn(ESCAPES, letter || "")) throw this.bad();
      this.at += 2;
      return ESCAPES[letter];
    }
    const digits = this.text.slice(this.at + 2, this.at + 6);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.bad();
    this.at += 6;
    return String.fromCharCode(parseInt(digits, 16));
  }

  number() {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text);
    if (found === null) throw this.bad();
    const isInteger = found[1] === undefined && found[2] === undefined;
    if (isInteger ? found[0].length > MAX_DIGITS : !Number.isFinite(Number(found[0]))) {
      throw badJson("a number is out of range", this.where);
    }
    this.at += found[0].length;
    return new JsonNumber(found[0], isInteger);
  }
}

/** A value as text for people, a line each. */
export function spell(value, indent = "") {
  const inner = `${indent}  `;
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) {
    return value.length ? `[\n${value.map((one) => inner + spell(one, inner)).join(",\n")}\n${indent}]` : "[]";
  }
  if (value instanceof Map) {
    const members = [...value].map(([name, one]) => `${inner}${JSON.stringify(name)}: ${spell(one, inner)}`);
    return members.length ? `{\n${members.join(",\n")}\n${indent}}` : "{}";
  }
  return JSON.stringify(value);
}
