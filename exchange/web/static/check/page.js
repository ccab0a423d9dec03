// The page around `check`: takes what is dropped, chosen or pasted, and shows the verdict. Whatever others wrote becomes text, never
// markup; nothing is sent.

import { Archive } from "./archive.js";
import { Refused, fromBase64url, fromUtf8, utf8 } from "./bytes.js";
import { check, checkEntry } from "./check.js";
import { spell } from "./json.js";

const MAX_FILES = 16;
const MAX_TEXT = 32 * 1024 * 1024;
// Read in pieces, so that its size costs nothing.
const MAX_ARCHIVE = 4 * 1024 * 1024 * 1024;
const MAX_ENTRIES = 5000;
// The first line of an encrypted file is shorter.
const MAX_HEADER = 4096;
const WHOLE = "an evidence file as a whole is checked by packtrace verify FILE --trust TRUST";
const MAX_SHOWN = 200_000;

const VERDICTS = {
  verified: ["Verified", "已验证", "ok"],
  trust_on_first_use: ["Trust on first use", "首次使用，尚未建立信任", "partial"],
  not_decidable: ["Not decidable", "无法判定", "partial"],
  rejected: ["Rejected", "拒绝", "hard"],
  unreadable: ["The trust file can't be read", "信任文件无法读取", "hard"],
};
const STEPS = {
  anchors: "信任锚",
  signature: "签名",
  certificate: "证书",
  disclosures: "披露",
  inclusion: "包含证明",
  checkpoint: "检查点",
  witnesses: "见证",
};
const OUTCOMES = { passed: ["passed", "ok"], unchecked: ["unchecked", "partial"], failed: ["not enough", "partial"] };
const PARTS = { statement: "statement 声明", disclosures: "disclosures 披露", proof: "proof 证明", trust: "trust file 信任文件", archive: "evidence file 证据文件" };

const byId = (id) => document.getElementById(id);

/** Text by others as it may be shown: what doesn't print is escaped, so that nothing can reorder or hide what stands here. */
const shown = (text) => text.replace(/(?![ \n])[\p{C}\p{Z}]/gu, (one) => [...Array(one.length).keys()].map((at) => `\\u${one.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""));

function make(tag, text = "", members = {}) {
  const element = document.createElement(tag);
  element.textContent = shown(String(text));
  for (const [name, value] of Object.entries(members)) element.setAttribute(name, value);
  return element;
}

const chinese = (text) => make("span", text, { class: "zh", lang: "zh-Hans" });

// --- What is at hand ----------------------------------------------------------------------------------------------

/** What was handed over so far, a part of each kind; a later one takes the place of an earlier one. */
let given = {};
/** How often what is at hand changed. */
let changes = 0;
/** Settled once all files that were handed over are read: a check waits for it. */
let taken = Promise.resolve();

/** Takes away the verdict that is shown, and one that is on its way: it isn't of what is at hand now. */
function changed() {
  changes += 1;
  byId("result").hidden = true;
}

class Trouble extends Error {}

async function take(name, blob) {
  const start = new Uint8Array(await blob.slice(0, MAX_HEADER).arrayBuffer());
  if (start[0] === 0x50 && start[1] === 0x4b) return takeArchive(name, blob);
  if (isSealed(start)) {
    throw new Trouble(`${name}: an evidence file that is encrypted to its reader. This page takes no keys: check it with packtrace verify FILE --key KEY --trust TRUST`);
  }
  if (blob.size > MAX_TEXT) throw new Trouble(`${name}: more than ${MAX_TEXT / 1024 / 1024} MiB`);
  takeText(name, new Uint8Array(await blob.arrayBuffer()));
}

/** Whether this is how an evidence file begins that was encrypted to its reader: a JWE of that type on a line (docs/formats/evidence-file.md). */
function isSealed(start) {
  const header = /^(eyJ[A-Za-z0-9_-]*)(?:\.[A-Za-z0-9_-]*){4}\n/.exec(String.fromCharCode(...start));
  const spelt = header && fromBase64url(header[1]);
  return spelt !== null && String.fromCharCode(...spelt).includes('"packtrace-evidence+jwe"');
}

async function takeArchive(name, blob) {
  const archive = await openArchive(name, blob);
  put("archive", name, archive);
  for (const part of ["statement", "disclosures", "proof"]) delete given[part];
  const indices = archive.indices.slice(0, MAX_ENTRIES);
  byId("entry").replaceChildren(...indices.map((index) => make("option", index, { value: index })));
  byId("entry").value = String(indices[indices.length - 1]);
}

async function openArchive(name, blob) {
  if (blob.size > MAX_ARCHIVE) throw new Trouble(`${name}: more than 4 GiB; ${WHOLE}`);
  let archive;
  try {
    archive = await Archive.open(blob);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new Trouble(`${name}: a zip, and ${error.message}; ${WHOLE}`);
  }
  if (!archive.indices.length) throw new Trouble(`${name}: a zip, and not an evidence file: no entry is in it; drop the files that are in it by themselves`);
  return archive;
}

function takeText(name, bytes) {
  let text;
  try {
    text = fromUtf8(bytes).trim();
  } catch {
    throw new Trouble(`${name}: neither text nor an evidence file`);
  }
  const part = partOf(text);
  if (part === null) throw new Trouble(`${name}: not a statement, disclosures, a proof, a trust file or an evidence file`);
  // Proofs and trust files count byte for byte; around a statement, white space is nobody's.
  put(part, name, part === "proof" || part === "trust" ? bytes : text);
  if (part === "statement" || part === "proof") delete given.archive;
}

/** Which part a text is, by how it begins; whether it is a good one is for `check`. */
function partOf(text) {
  if (text.startsWith("c2sp.org/tlog-proof")) return "proof";
  if (text.startsWith("{")) return "trust";
  if (/^[^\s~.]+\.[^\s~]*(~[^\s]*)?$/.test(text)) return "statement";
  return /^[A-Za-z0-9_-]+(\s+[A-Za-z0-9_-]+)*$/.test(text) ? "disclosures" : null;
}

function put(part, name, value) {
  given[part] = { name, value };
  changed();
}

function takeAll(files) {
  changed();
  taken = taken.then(() => takeEach(files));
}

async function takeEach(files) {
  if (files.length > MAX_FILES) return trouble(new Trouble(`more than ${MAX_FILES} files at once`));
  const refused = [];
  for (const file of files) await take(file.name, file).catch((error) => refused.push(error));
  showAtHand();
  trouble(...refused);
}

async function takePasted() {
  const pasted = byId("pasted").value;
  if (pasted.trim() === "") return;
  const end = pasted.trim().startsWith("c2sp.org/") && !pasted.endsWith("\n") ? "\n" : "";
  takeText("pasted", utf8(pasted.replace(/^\s+/, "") + end));
  byId("pasted").value = "";
}

/** What is at hand, a line for each part. */
function atHand() {
  const parts = Object.keys(PARTS).filter((part) => given[part] !== undefined);
  return parts.map((part) => `${PARTS[part]}: ${given[part].name}`);
}

function showAtHand() {
  const lines = atHand().map((line) => make("li", line));
  byId("at-hand").replaceChildren(...(lines.length ? lines : [make("li", "nothing yet", { class: "none" })]));
  byId("which").hidden = given.archive === undefined;
}

// --- Checking -----------------------------------------------------------------------------------------------------

async function checkGiven() {
  trouble();
  changed();
  try {
    await taken;
    await takePasted();
    showAtHand();
    const [of, parts] = [changes, atHand()];
    if (given.archive !== undefined) parts.push(`entry 条目 ${byId("entry").value}`);
    const found = await verdict();
    if (of === changes) show(found, parts);
  } catch (error) {
    trouble(error);
  }
}

async function verdict() {
  const by = { trust: given.trust?.value ?? null, at: Date.now() / 1000 };
  if (given.archive !== undefined) return checkEntry(given.archive.value, Number(byId("entry").value), by);
  if (given.statement === undefined) throw new Trouble("there is no statement to check");
  const disclosures = given.disclosures?.value.split(/\s+/) ?? [];
  return check({ statement: given.statement.value, disclosures, proof: given.proof?.value ?? null, ...by });
}

/** Says what went wrong, or that nothing did. */
function trouble(...errors) {
  byId("trouble").textContent = shown(errors.map(troubleInWords).join("; "));
}

function troubleInWords(error) {
  if (error instanceof Trouble) return error.message;
  if (error instanceof Refused) return `${error.message} (${error.code}, at ${error.where})`;
  console.error(error);
  return "This browser could not finish the check.";
}

// --- Showing ------------------------------------------------------------------------------------------------------

function show(found, parts) {
  const [word, zh, tone] = VERDICTS[found.code];
  byId("verdict").replaceChildren(`${word} `, chinese(zh));
  byId("verdict").dataset.code = found.code;
  byId("verdict").parentElement.className = `hero verdict ${tone}`;
  const place = found.error && found.where ? ` (${found.error}, at ${found.where})` : "";
  byId("why").textContent = shown(`${found.text}${place}`);
  byId("checked").textContent = shown(`Checked 核验对象: ${parts.join("; ")}`);
  byId("steps").replaceChildren(...found.steps.map(stepRow));
  showStatement(found);
  byId("limits").replaceChildren(...found.limits.map((line) => make("li", line)));
  byId("not-shown").hidden = !found.limits.length;
  byId("result").hidden = false;
  byId("verdict").focus();
}

function stepRow({ name, evidence, state }) {
  const [outcome, tone] = OUTCOMES[state];
  const row = make("tr");
  const head = make("th", `${name} `, { scope: "row" });
  head.append(chinese(STEPS[name]));
  const cell = make("td");
  cell.append(make("span", outcome, { class: `badge ${tone}` }));
  row.append(head, cell, make("td", evidence));
  return row;
}

function showStatement({ statement, leafHash, index, code }) {
  byId("statement").hidden = statement === null || code === "rejected";
  if (byId("statement").hidden) return;
  const { leaf } = statement;
  byId("facts").replaceChildren(
    ...fact("Issuer 签发者", statement.issuer),
    ...fact("Kind 类型", statement.kind),
    ...fact("Issued at, as the issuer claims 签发时间", time(statement.issuedAt)),
    ...fact("Ledger 账本", statement.audience + (index === undefined ? "" : `, entry ${index}`)),
    ...fact("Leaf hash 叶哈希", leafHash),
    ...fact("Key, by its thumbprint 密钥指纹", `${leaf.thumbprint} (${leaf.algorithm})`),
    ...fact("Certificate names 证书主体", `${leaf.organisation}, from ${time(leaf.notBefore)} to ${time(leaf.notAfter)}`),
    ...fact("Number 编号", statement.jti),
  );
  byId("hidden-claims").textContent = shown(hiddenInWords(statement));
  byId("claims").replaceChildren(...claimsOf(statement).flatMap(([name, value]) => claim(name, value)));
}

const time = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

function fact(name, value) {
  const cell = make("dd");
  cell.append(make("code", value, { class: "long" }));
  return [make("dt", name), cell];
}

/** The claims that are open beyond those of every statement, then those that were disclosed; lists with the lines at hand. */
function claimsOf({ members, named, lines }) {
  const own = new Set(["iss", "aud", "jti", "iat", "vct", "_sd", "_sd_alg", "contents_digest"]);
  const open = [...members].filter(([name]) => !own.has(name));
  const disclosed = named.filter((one) => one.name !== "contents");
  return [...open, ...disclosed.map((one) => [one.name, lines.has(one.name) ? lines.get(one.name).map((line) => line.value) : one.value])];
}

function claim(name, value) {
  const text = typeof value === "string" ? value : spell(value);
  const cell = make("dd");
  cell.append(make("pre", text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)} ... (cut for display)` : text));
  const head = make("dt");
  head.append(make("code", name));
  return [head, cell];
}

/** What is hidden from this reader, as far as the statement tells. */
function hiddenInWords({ digests, named, lines, contents }) {
  if (!digests.length) return "This kind of statement hides nothing.";
  if (contents === null) {
    return `${digests.length - named.length} of ${digests.length} digests are without a disclosure: hidden claims or decoys, nobody can tell. A claim that isn't shown may be there.`;
  }
  const names = contents.claims.filter((name) => !named.some((one) => one.name === name));
  const short = [...lines].map(([name, shown]) => [name, contents.counts.get(name) - shown.length]).filter(([, n]) => n > 0);
  const hidden = [names.length ? `hidden: ${names.join(", ")}` : "no claim is hidden", ...short.map(([name, n]) => `${n} lines of ${name} are hidden`)];
  return `By the statement's own contents: ${hidden.join("; ")}.`;
}

// --- The form -----------------------------------------------------------------------------------------------------

function start() {
  const form = byId("given");
  byId("asleep").hidden = true;
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    checkGiven();
  });
  form.addEventListener("reset", () => {
    given = {};
    trouble();
    changed();
    showAtHand();
  });
  for (const id of ["entry", "pasted"]) byId(id).addEventListener("input", changed);
  byId("files").addEventListener("change", (event) => takeAll([...event.target.files]));
  // A file that misses the place would otherwise be opened in place of this page.
  for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
  const drop = byId("drop");
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, () => drop.classList.add("over"));
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => takeAll([...event.dataTransfer.files]));
  showAtHand();
  if (!globalThis.crypto?.subtle) {
    trouble(new Trouble("This browser gives cryptography only to pages that came by https, from this machine or from a file: open this page so."));
  }
}

start();
