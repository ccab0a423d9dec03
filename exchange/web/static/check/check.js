// What the page does: a statement, its proof and the reader's trust file in; a verdict in the words of `packtrace verify` out.
// Nothing here touches the page, the network or a clock.

import { Refused, Undecidable, hex } from "./bytes.js";
import { readCertificate } from "./certificates.js";
import { checkInclusion, leafHash, openCheckpoint, parseCheckpoint, parseProof, readNote } from "./log.js";
import { splitPresentation, verifyStatement } from "./statement.js";
import { readTrust } from "./trust.js";

/**
 * The verdict on a statement: a token, or a token with disclosures as they are presented, and further disclosures.
 *
 * `proof` and `trust` are bytes or null; `suggested` is the trust file inside an evidence file, used where no other is given, and
 * `intermediates` are certificates (DER) that may lead to its authorities. `at` (seconds since 1970) is the time to judge the trust
 * file's end by; null: it isn't judged.
 * `code` is verified, trust_on_first_use, not_decidable, rejected, or unreadable: then the trust file is none, and nothing was said.
 * `error` is the code of what failed, as the Python verifier gives it.
 */
export async function check({ statement, disclosures = [], proof = null, trust = null, suggested = null, intermediates = [], at = null }) {
  const steps = [];
  const found = { steps, statement: null, limits: [] };
  let anchors = null;
  try {
    anchors = trust === null && suggested === null ? null : await readTrust(trust ?? suggested);
  } catch (error) {
    return { ...found, ...refusal(error), code: "unreadable", text: error.message };
  }
  try {
    steps.push(anchorStep(anchors, trust !== null));
    if (anchors !== null) {
      checkCurrent(anchors, at);
      anchors.intermediates.push(...readable(intermediates));
    }
    const { token, disclosures: presented } = splitPresentation(statement);
    found.statement = await verifyStatement(token, [...presented, ...disclosures], anchors);
    steps.push(...statementSteps(found.statement));
    found.leafHash = hex(await leafHash(token));
    const log = proof === null ? null : await checkLog(token, proof, anchors, found.statement, steps);
    found.index = log?.index;
    found.limits = limitsOf(log);
    return { ...found, ...conclude(anchors, trust !== null, log) };
  } catch (error) {
    return { ...found, ...refusal(error) };
  }
}

/** The verdict on an entry of an evidence file; where no chain is found, with the intermediates that its key events carry. */
export async function checkEntry(archive, index, { trust = null, at = null } = {}) {
  const given = { ...(await archive.entry(index)), suggested: await archive.suggestion(), trust, at };
  const found = await check(given);
  return ofEntry(found.error === "certificate_not_trusted" ? await check({ ...given, intermediates: await archive.intermediates() }) : found, index);
}

/** A proof of another entry than the one that was chosen is refused, however good it is. */
function ofEntry(found, index) {
  if (found.error !== null || Number(found.index ?? index) === Number(index)) return found;
  return { ...found, ...refusal(new Refused("rejected", `the proof is for entry ${found.index}`, "proof")) };
}

function checkCurrent({ expires }, at) {
  if (expires === null || at === null || at < expires) return;
  const end = new Date(expires * 1000).toISOString().replace(".000Z", "Z");
  throw new Undecidable("not_decidable", `the trust file expired at ${end}: get its next version from its publisher`, "trust file");
}

function readable(ders) {
  return ders.flatMap((der) => {
    try {
      return [readCertificate(der)];
    } catch {
      return [];
    }
  });
}

function refusal(error) {
  if (!(error instanceof Refused)) throw error;
  const code = error instanceof Undecidable ? "not_decidable" : "rejected";
  return { code, text: `${code.replace("_", " ")}: ${error.message}`, error: error.code, where: error.where };
}

function step(name, evidence, state = "passed") {
  return { name, evidence, state };
}

function anchorStep(anchors, isGiven) {
  if (anchors === null) return step("anchors", "UNCHECKED: no trust file was given", "unchecked");
  if (isGiven) return step("anchors", `trust file ${anchors.fingerprint}, log ${anchors.origin}`);
  return step("anchors", `UNCHECKED: the file's own suggestion, fingerprint ${anchors.fingerprint}`, "unchecked");
}

function statementSteps({ leaf, chain, named, lines, digests }) {
  const shown = named.length + [...lines.values()].flat().length;
  const slots = named.reduce((sum, one) => sum + (one.slots?.length ?? 0), digests.length);
  const way = chain?.over ? "over an intermediate" : "directly";
  return [
    step("signature", `${leaf.algorithm}, by the key with thumbprint ${leaf.thumbprint}`),
    chain
      ? step("certificate", `${leaf.organisation}, certified ${way} by an authority of the trust file`)
      : step("certificate", `UNCHECKED: it names ${leaf.organisation}, and nobody here vouches for that`, "unchecked"),
    step("disclosures", `${shown} disclosures, each by its digest; ${slots - shown} digests stand for hidden claims or decoys`),
  ];
}

/** Inclusion, checkpoint and witnesses; pushes their steps. */
async function checkLog(token, bytes, anchors, statement, steps) {
  const proof = parseProof(bytes);
  const checkpoint = anchors === null ? unsigned(proof.checkpoint, statement) : await openCheckpoint(proof.checkpoint, anchors.keys);
  await checkInclusion(await leafHash(token), proof.index, checkpoint, proof.path);
  steps.push(step("inclusion", `entry ${proof.index} of ${checkpoint.size}, ${proof.path.length} hashes lead to root ${hex(checkpoint.root).slice(0, 16)}`));
  const who = `${checkpoint.origin}, size ${checkpoint.size}`;
  steps.push(
    anchors === null
      ? step("checkpoint", `UNCHECKED: ${who}; without a trust file the log's key isn't known`, "unchecked")
      : step("checkpoint", `${who}, signed by the log's key`),
  );
  const witnessed = anchors?.policy ? await anchors.policy.evaluate(proof.checkpoint, anchors.keys) : null;
  steps.push(witnessStep(anchors?.policy, witnessed));
  return { ...checkpoint, index: proof.index, policy: anchors?.policy ?? null, witnessed };
}

function unsigned(note, statement) {
  const checkpoint = parseCheckpoint(readNote(note).text);
  if (checkpoint.origin !== statement.audience) {
    throw new Refused("wrong_origin", "the checkpoint is of another log than the statement was made for", "checkpoint");
  }
  return checkpoint;
}

function witnessStep(policy, witnessed) {
  if (!policy) return step("witnesses", "UNCHECKED: no witness is required", "unchecked");
  const who = witnessed.cosignatures.map(inWords).join(", ") || "witnessed by nobody";
  return step("witnesses", `quorum ${policy.quorum}: ${who}`, witnessed.isSatisfied ? "passed" : "failed");
}

function inWords({ name, keyName, time, isOwn }) {
  // The calendar ends at 9999, as in Python; a later time is shown as seconds.
  const at = time <= 253_402_300_799n ? new Date(Number(time) * 1000).toISOString().replace(".000Z", "Z") : `${time} s`;
  return `${isOwn ? "self-witnessed" : "witnessed"} by ${name} (${keyName}) at ${at}`;
}

function conclude(anchors, isGiven, log) {
  if (log?.witnessed && !log.witnessed.isSatisfied) {
    const text = `not decidable: the checkpoint lacks the quorum ${log.policy.quorum}`;
    return { code: "not_decidable", text, error: "not_decidable", where: "witness policy" };
  }
  if (!isGiven) {
    const how = anchors ? `compare the fingerprint over another channel: ${anchors.fingerprint}` : "get the log's trust file and check again";
    return { code: "trust_on_first_use", text: `trust on first use: consistent in itself; ${how}`, error: null };
  }
  if (log === null) {
    const text = "not decidable: signed and certified as it says; without a proof nobody knows whether it stands in the log";
    return { code: "not_decidable", text, error: "no_proof", where: "proof" };
  }
  return { code: "verified", text: `verified: signed and certified as it says, and in the log at index ${log.index}`, error: null };
}

function limitsOf(log) {
  const known = "whether the signer's key was enrolled, revoked or replaced, whether its role allows this statement, and whether it was corrected or withdrawn: not checked here";
  const witnesses = [...new Set((log?.witnessed?.cosignatures ?? []).filter((one) => !one.isOwn).map((one) => one.name))].sort();
  const word = witnesses.length ? `the word of the witnesses: ${witnesses.join(", ")}` : "the operator's word: no witness was required to cosign the checkpoint";
  return [
    `${known}; packtrace verify checks these, and computes figures again, with an evidence file`,
    ...(log ? [`that others are shown the same log rests on ${word}`] : []),
    "the time is the issuer's claim: no independent timestamp",
    "signed is not the same as measured: that a statement is true is not checked here",
  ];
}
