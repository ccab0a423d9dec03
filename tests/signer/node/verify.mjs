// Reads {presentation, jwk, alg, now} from standard input; writes what jose and @sd-jwt/core say to it.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { SDJwtInstance } from "@sd-jwt/core";
import { compactVerify, importJWK } from "jose";

const { presentation, jwk, alg, now } = JSON.parse(readFileSync(0, "utf8"));
const key = await importJWK(jwk, alg);
const options = { algorithms: [alg] };

const token = presentation.split("~")[0];
const { payload, protectedHeader } = await compactVerify(token, key, options);

const instance = new SDJwtInstance({
  hasher: (data, name) => {
    if (name !== "sha-256") throw new Error(`unknown hash ${name}`);
    return new Uint8Array(createHash("sha256").update(data).digest());
  },
  hashAlg: "sha-256",
  signAlg: alg,
  verifier: async (data, signature) => {
    await compactVerify(`${data}.${signature}`, key, options);
    return true;
  },
});
const verified = await instance.verify(presentation, { currentDate: now });
const jose = { header: protectedHeader, payload: JSON.parse(new TextDecoder().decode(payload)) };
process.stdout.write(JSON.stringify({ jose, sdjwt: verified.payload }));
