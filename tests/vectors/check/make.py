"""Makes the vectors of the check page again: `python -m tests.vectors.check.make`. Keys are drawn for it and thrown away.

Each case says what a verifier has to answer, by hand: nothing here asks ours. `kinds.js` is made too, from the registry of kinds.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from exchange.assembly import Demand
from exchange.kinds import ACTIVITY_DATA, KINDS, ROLE_GRANT
from exchange.trust import TrustFile
from ledger import (
    Checkpoint,
    NoteSigner,
    WitnessSigner,
    format_proof,
    inclusion_proof,
    leaf_hash,
    nodes_of,
    root,
    sign_checkpoint,
    sign_note,
)
from signer import CertificateAuthority, Issued, KeyPair, Profile, digest_of, disclose, issue, join_presentation
from signer.base64url import decode, encode, encode_padded
from tests.exchange.dossier import EVERBATT, LITHIUM, small_dossier
from tests.signer.world import AT, END, JTI, MAKER, ORIGIN, START, Forger, members_of

HERE = Path(__file__).parent
VECTORS = HERE / "vectors.json"
KINDS_MODULE = HERE.parents[2] / "exchange/web/static/check/kinds.js"
INDEX, SIZE = 6, 11
TIME = int(AT.timestamp())
OTHER_MAKER = "https://other.example"
CLAIMS: dict[str, Any] = {
    "sub": f"{MAKER}/cathode",
    "process_class": "material_production",
    "period": {"start": "2026-01-01", "end": "2026-03-31"},
    "inputs": [
        {"id": "li", "name": "氢氧化锂 <b>", "amount": "560", "unit": "kg"},
        {"id": "ni", "name": "nickel sulphate\u202e", "amount": "1200.5", "unit": "kg"},
    ],
}


@dataclass
class Vectors:
    """Keys and a log, and the cases that were made of them."""

    root: CertificateAuthority = field(default_factory=lambda: authority("Root"))
    maker: KeyPair = field(init=False)
    log: NoteSigner = field(default_factory=lambda: NoteSigner(ORIGIN, bytes(range(32))))
    witnesses: tuple[WitnessSigner, ...] = field(
        default_factory=lambda: tuple(
            WitnessSigner(f"{name}.example/w", name[:1].encode() * 32) for name in ("north", "south")
        )
    )
    own: WitnessSigner = field(default_factory=lambda: WitnessSigner(f"{ORIGIN}/witness", b"o" * 32))
    trusts: dict[str, str] = field(default_factory=dict)
    cases: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.maker = certified(self.root)
        self.trusts["plain"] = self.trust()

    @property
    def forger(self) -> Forger:
        return Forger(self.maker)

    def trust(self, **changes: Any) -> str:
        anchors: dict[str, Any] = {
            "origin": ORIGIN,
            "log_key": str(self.log.log_key),
            "authorities": (pem(self.root.certificate),),
            "rule_sets": frozenset({"0" * 64, "1" * 64}),
            "factor_releases": frozenset[str](),
            "policies": frozenset[str](),
        }
        return TrustFile(**{**anchors, **changes}).document().decode()

    def policy(self, quorum: str, *witnesses: WitnessSigner) -> str:
        lines = [f"log {self.log.log_key}"]
        lines += [f"witness w{n} {one.witness_key}" for n, one in enumerate(witnesses)]
        return "\n".join(
            [*lines, f"group some any {' '.join(f'w{n}' for n in range(len(witnesses)))}", f"quorum {quorum}", ""]
        )

    def note(self, token: str, *witnesses: WitnessSigner, signer: NoteSigner | None = None) -> str:
        hashes_ = leaves(token)
        note = sign_checkpoint(Checkpoint(ORIGIN, SIZE, root(hashes_)), signer or self.log)
        return cosigned(note, *witnesses)

    def proof(self, token: str, note: str | None = None, index: int = INDEX) -> str:
        path = inclusion_proof(nodes_of(leaves(token)), INDEX, SIZE)
        return format_proof(index, path, note or self.note(token))

    def add(
        self,
        name: str,
        why: str,
        presentation: str,
        *,
        proof: str | None = "",
        trust: str | None = "plain",
        verdict: str = "rejected",
        error: str | None = None,
    ) -> None:
        """A case. `proof` is empty for the proof that belongs to the token, None for none."""
        if proof == "":
            proof = self.proof(presentation.partition("~")[0])
        said = {"verdict": verdict, "error": error}
        self.cases.append(
            {"name": name, "why": why, "presentation": presentation, "proof": proof, "trust": trust, **said}
        )


# -- making -----------------------------------------------------------------------------------------------------------


def authority(name: str) -> CertificateAuthority:
    return CertificateAuthority.create(name, KeyPair.generate("ES256"), START - timedelta(days=1), END)


def certified(
    by: CertificateAuthority, organisation: str = MAKER, end: datetime = END, algorithm: Any = "ES256"
) -> KeyPair:
    pair = KeyPair.generate(algorithm)
    return pair.with_certificate(by.issue(pair.csr(organisation), organisation, START, end))


def leaf_by(
    issuer: x509.Name,
    key: Any,
    *,
    names: tuple[x509.GeneralName, ...] = (x509.UniformResourceIdentifier(MAKER),),
    is_authority: bool = False,
    purpose: x509.ObjectIdentifier | None = None,
) -> KeyPair:
    """A key with a leaf certificate such as our own authority would not issue."""
    pair = KeyPair.generate("ES256")
    built = builder(x509.Name([]), issuer, pair.public_key).add_extension(
        x509.SubjectAlternativeName(names), critical=True
    )
    built = built.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    built = built.add_extension(usage(sign=True), critical=True)
    if purpose is not None:
        built = built.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return pair.with_certificate(built.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))


def foreign_authority(key: Any, *, certifies: bool = True) -> x509.Certificate:
    """A root such as others have: any key, and on demand one that may certify nobody."""
    name = named("Foreign")
    built = builder(name, name, key.public_key()).add_extension(x509.BasicConstraints(True, None), critical=True)
    return built.add_extension(usage(sign=not certifies, certify=certifies), critical=True).sign(key, hashes.SHA384())


def builder(subject: x509.Name, issuer: x509.Name, public_key: Any) -> x509.CertificateBuilder:
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
    return built.serial_number(x509.random_serial_number()).not_valid_before(START).not_valid_after(END)


def usage(*, sign: bool = False, certify: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        key_cert_sign=certify,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def state(pair: KeyPair, issuer: str = MAKER, claims: Any = None, profile: Profile = ACTIVITY_DATA.profile) -> Issued:
    return issue(
        pair,
        profile,
        issuer=issuer,
        audience=ORIGIN,
        jti=JTI,
        issued_at=AT,
        claims=claims or CLAIMS,
        random=secrets.token_bytes,
    )


def shown(issued: Issued, paths: tuple[str, ...] = ("full",)) -> str:
    return join_presentation(issued.token, disclose(issued.token, issued.disclosures, list(paths)))


def leaves(token: str) -> list[bytes]:
    hashes_ = [leaf_hash(f"entry {n}".encode()) for n in range(SIZE)]
    hashes_[INDEX] = leaf_hash(token.encode())
    return hashes_


def cosigned(note: str, *witnesses: WitnessSigner) -> str:
    text = note.rpartition("\n\n")[0] + "\n"
    return note + "".join(one.sign(text, TIME) for one in witnesses)


def flipped(line: str, at: int) -> str:
    """A signature line, or base64 alone, with a bit changed in what it spells."""
    start, space, encoded = line.rstrip("\n").rpartition(" ")
    blob = bytearray(base64.b64decode(encoded))
    blob[at] ^= 1
    return f"{start}{space}{base64.b64encode(blob).decode()}"


def with_line(text: str, at: int, change: Callable[[str], str]) -> str:
    lines = text.split("\n")
    lines[at] = change(lines[at])
    return "\n".join(lines)


# -- the cases --------------------------------------------------------------------------------------------------------


def good(made: Vectors) -> None:
    """What has to be accepted, or left open."""
    issued, ok = state(made.maker), {"verdict": "verified"}
    made.add("es256_all", "everything is shown", shown(issued), **ok)
    made.add("es256_nothing", "no disclosure is shown", shown(issued, ()), **ok)
    made.add("es256_a_line", "a line, its list and the product are shown", shown(issued, ("inputs/li", "sub")), **ok)
    made.add(
        "es256_contents",
        "what is hidden is named by the statement's contents",
        shown(issued, ("contents", "sub")),
        **ok,
    )
    made.add("bare_token", "a token without tilde is a statement that shows nothing", issued.token, **ok)
    token, *rest = shown(issued).rstrip("~").split("~")
    made.add("disclosures_in_another_order", "their order means nothing", join_presentation(token, rest[::-1]), **ok)
    edward = certified(made.root, algorithm="Ed25519")
    made.add("ed25519_all", "the other algorithm", shown(state(edward)), **ok)
    grant = state(made.maker, claims={"organisation": OTHER_MAKER, "roles": ["supplier"]}, profile=ROLE_GRANT.profile)
    made.add("kind_without_hidden_claims", "a role grant", f"{grant.token}~", **ok)
    stranger = NoteSigner("stranger.example", b"s" * 32)
    note = made.note(issued.token)
    note += stranger.sign(note.rpartition("\n\n")[0] + "\n")
    made.add(
        "unknown_signature_line",
        "a line by an unknown key means nothing",
        shown(issued),
        proof=made.proof(issued.token, note),
        **ok,
    )
    between = KeyPair.generate("ES256")
    middle = CertificateAuthority(
        between.with_certificate(
            made.root.certify(CertificateAuthority.request("Middle", between), "Middle", START, END)
        )
    )
    made.trusts["intermediate"] = made.trust(intermediates=(pem(middle.certificate),))
    made.add(
        "over_an_intermediate", "leaf, intermediate, root", shown(state(certified(middle))), trust="intermediate", **ok
    )
    made.add(
        "intermediate_not_at_hand",
        "the trust file lacks it",
        shown(state(certified(middle))),
        error="certificate_not_trusted",
    )
    p384, big = ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)
    for name, key in (("p384", p384), ("rsa", big)):
        foreign = foreign_authority(key)
        made.trusts[name] = made.trust(pinned={MAKER: (pem(foreign.public_bytes(Encoding.DER)),)})
        made.add(
            f"pinned_{name}",
            "an authority of this organisation alone",
            shown(state(leaf_by(foreign.subject, key))),
            trust=name,
            **ok,
        )
        other = leaf_by(foreign.subject, key, names=(x509.UniformResourceIdentifier(OTHER_MAKER),))
        made.add(
            f"pinned_{name}_for_another",
            "it may not speak for others",
            shown(state(other, OTHER_MAKER)),
            trust=name,
            error="certificate_not_trusted",
        )
    following = NoteSigner(ORIGIN, b"f" * 32)
    made.trusts["two_log_keys"] = made.trust(other_log_keys=(str(following.log_key),))
    proof = made.proof(issued.token, made.note(issued.token, signer=following))
    made.add(
        "another_log_key", "signed by the key that follows", shown(issued), proof=proof, trust="two_log_keys", **ok
    )
    made.add("another_log_key_unknown", "the trust file lacks it", shown(issued), proof=proof, error="unknown_signer")


def witnessed(made: Vectors) -> None:
    """Quorums reached and not."""
    issued = state(made.maker)
    north, south = made.witnesses
    made.trusts["witnessed"] = made.trust(witness_policy=made.policy("some", north, south))
    made.trusts["both"] = made.trust(witness_policy=made.policy("some", north, south).replace("some any", "some all"))
    made.trusts["own_shown"] = made.trust(witness_policy=made.policy("some", made.own, north))
    for name, trust, by, verdict, error in (
        ("one_witness", "witnessed", (south,), "verified", None),
        ("both_witnesses", "both", (north, south), "verified", None),
        ("one_witness_of_two", "both", (north,), "not_decidable", "not_decidable"),
        ("no_witness", "witnessed", (), "not_decidable", "not_decidable"),
        ("only_the_log_s_own_witness", "own_shown", (made.own,), "not_decidable", "not_decidable"),
    ):
        proof = made.proof(issued.token, made.note(issued.token, *by))
        made.add(name, f"quorum of {trust}", shown(issued), proof=proof, trust=trust, verdict=verdict, error=error)
    note = made.note(issued.token, north)
    for name, at in (("cosignature_flipped", -1), ("cosignature_of_another_time", 11)):
        proof = made.proof(issued.token, with_line(note, -2, lambda line, at=at: flipped(line, at)))  # type: ignore[misc]
        made.add(
            name, "the witness did not sign that", shown(issued), proof=proof, trust="witnessed", error="bad_signature"
        )


def open_ends(made: Vectors) -> None:
    """What nothing false is found in, and something is missing."""
    issued, first = state(made.maker), {"trust": None, "verdict": "trust_on_first_use"}
    made.add("no_trust_file", "consistent in itself", shown(issued), **first)  # type: ignore[arg-type]
    made.add("no_trust_file_no_proof", "consistent in itself", shown(issued), proof=None, **first)  # type: ignore[arg-type]
    made.add(
        "no_proof", "not known to be in the log", shown(issued), proof=None, verdict="not_decidable", error="no_proof"
    )
    stranger = certified(authority("Stranger"))
    made.add("no_trust_file_stranger", "nobody vouches for anybody", shown(state(stranger)), **first)  # type: ignore[arg-type]
    head, _payload, signature = issued.token.split(".")
    changed = f"{head}.{encode(json.dumps(made.forger.payload()).encode())}.{signature}"
    made.add("no_trust_file_bad_signature", "false is false", changed, trust=None, proof=None, error="bad_signature")
    moved = made.forger.token(made.forger.payload(aud="other.example"))
    made.add("no_trust_file_another_log", "proof of another log", moved, trust=None, error="wrong_origin")


def trust_files(made: Vectors) -> None:
    """Trust files that are none: nothing is said of the evidence."""
    issued = state(made.maker)
    plain = made.trusts["plain"]
    anchors = json.loads(plain)
    policy = made.policy("some", made.own)
    for name, text in (
        ("trust_with_an_unknown_member", json.dumps({**anchors, "also": 1})),
        ("trust_with_a_member_twice", plain.replace("{", '{"origin": "x",', 1)),
        ("trust_with_another_origin", json.dumps({**anchors, "origin": "other.example"})),
        ("trust_without_authority", json.dumps({**anchors, "authorities": []})),
        ("trust_of_another_format", plain.replace("trust-file:1", "trust-file:9")),
        ("trust_with_an_own_quorum", json.dumps({**anchors, "witness_policy": policy})),
        ("trust_with_a_cut_policy", json.dumps({**anchors, "witness_policy": "quorum none"})),
        ("trust_with_a_wrong_key_id", json.dumps({**anchors, "log_key": anchors["log_key"].replace("+", "+0", 1)})),
        ("trust_with_a_digest_in_capitals", json.dumps({**anchors, "policies": ["A" * 64]})),
    ):
        made.trusts[name] = text
        made.add(name, "no trust file", shown(issued), trust=name, verdict="unreadable", error="evidence")


def headers(made: Vectors) -> None:
    """Tokens and headers."""
    forger, issued = made.forger, state(made.maker)
    header, payload, signature = issued.token.split(".")
    raw = bytearray(decode(signature, ""))
    raw[5] ^= 1
    other = certified(made.root)
    leaf = encode_padded(made.maker.certificate)
    later = encode(json.dumps(members_of(issued.token) | {"iat": TIME + 1}).encode())
    for name, token, error in (
        ("signature_flipped", f"{header}.{payload}.{encode(bytes(raw))}", "bad_signature"),
        ("signature_cut", f"{header}.{payload}.{encode(bytes(raw[:-1]))}", "bad_signature"),
        ("signature_of_zeros", f"{header}.{payload}.{encode(bytes(64))}", "bad_signature"),
        ("payload_changed", f"{header}.{later}.{signature}", "bad_signature"),
        ("two_parts", f"{header}.{payload}", "malformed_token"),
        ("four_parts", f"{issued.token}.{signature}", "malformed_token"),
        ("padded_base64", f"{issued.token}=", "bad_base64"),
        ("not_ascii", f"{header}.{payload}.é{signature}", "malformed_token"),
        ("too_long", f"{header}.{payload}.{'A' * 65_536}", "token_too_large"),
        ("alg_none", forger.token(header=forger.header(alg="none")), "algorithm_not_allowed"),
        ("alg_of_another_key", forger.token(header=forger.header(alg="Ed25519")), "algorithm_not_allowed"),
        ("kid_of_another_key", forger.token(header=forger.header(kid=other.thumbprint)), "key_mismatch"),
        ("kid_missing", forger.token(header=forger.header(kid=None)), "bad_header"),
        ("header_with_a_url", forger.token(header=forger.header(jku="https://evil.example")), "unknown_header_member"),
        ("typ_of_another_format", forger.token(header=forger.header(typ="JWT")), "wrong_type"),
        ("two_certificates", forger.token(header=forger.header(x5c=[leaf, leaf])), "bad_header"),
        ("certificate_in_base64url", forger.token(header=forger.header(x5c=[leaf.rstrip("=") + "-"])), "bad_base64"),
        ("no_certificate", forger.token(header=forger.header(x5c=[encode_padded(b"0")])), "bad_certificate"),
        (
            "bytes_after_the_certificate",
            forger.token(header=forger.header(x5c=[encode_padded(made.maker.certificate + b"0")])),
            "bad_certificate",
        ),
        ("header_with_a_member_twice", forger.token(header=b'{"alg":"ES256","alg":"ES256"}'), "duplicate_member"),
    ):
        made.add(name, "the token's form or its signature", token, error=error)


def payloads(made: Vectors) -> None:
    """Open claims."""
    forger = made.forger
    good_payload = json.dumps(forger.payload()).encode()
    deep = b'{"x":' * 32 + b"[]" + b"}" * 32
    for name, payload, error in (
        ("member_twice", good_payload.replace(b"{", b'{"iss": "https://evil.example", ', 1), "duplicate_member"),
        ("surrogate_alone", good_payload.replace(b'"aud": "', b'"aud": "\\ud800'), "bad_json"),
        ("not_utf8", good_payload.replace(b'"aud": "', b'"aud": "\xff'), "bad_json"),
        ("not_a_number", good_payload.replace(str(TIME).encode(), b"NaN"), "bad_json"),
        ("too_deep", good_payload.replace(str(TIME).encode(), deep), "too_deep"),
        ("a_list", b"[]", "bad_json"),
        ("time_with_a_fraction", good_payload.replace(str(TIME).encode(), f"{TIME}.0".encode()), "bad_claim"),
        ("time_as_text", forger.payload(iat=str(TIME)), "bad_claim"),
        ("jti_of_another_version", forger.payload(jti=JTI.replace("-774b-", "-474b-")), "bad_claim"),
        ("issuer_missing", forger.payload(iss=None), "missing_claim"),
        ("claim_in_the_open", forger.payload(sub="https://cells.example/cathode"), "claim_not_open"),
        ("unknown_kind", forger.payload(vct="urn:packtrace:activity-data:9"), "statement"),
        ("prototype_as_kind", forger.payload(vct="__proto__"), "statement"),
        ("another_hash", forger.payload(_sd_alg="sha-512"), "unknown_digest_algorithm"),
        ("no_digests", forger.payload(_sd=None), "missing_claim"),
        ("digests_not_padded", forger.payload(_sd=forger.decoys(15)), "bad_digest_list"),
        ("digests_not_sorted", forger.payload(_sd=forger.decoys(16)[::-1]), "bad_digest_list"),
        ("digest_too_short", forger.payload(_sd=sorted(["A" * 42, *forger.decoys(15)])), "bad_digest_list"),
        ("another_issuer", forger.payload(iss=OTHER_MAKER), "organisation_mismatch"),
        ("another_ledger", forger.payload(aud="other.example"), "wrong_audience"),
        ("before_the_certificate", forger.payload(iat=int(START.timestamp()) - 1), "certificate_not_valid"),
    ):
        made.add(name, "the open claims", forger.token(payload), error=error)
    grant = Forger(made.maker)
    hidden = grant.token(
        grant.payload(
            vct=ROLE_GRANT.vct, _sd=None, _sd_alg=None, contents_digest=None, organisation=OTHER_MAKER, roles=[]
        )
    )
    hidden = join_presentation(hidden, [grant.disclosure("sub", "x")])
    made.add("disclosure_of_an_open_kind", "it has none", hidden, error="unreferenced_disclosure")


def certificates(made: Vectors) -> None:
    """Who vouches for the key."""
    other = authority("Root")  # the same name, another key
    ca = foreign_authority(root_key := ec.generate_private_key(ec.SECP256R1()))
    made.trusts["foreign"] = made.trust(authorities=(pem(ca.public_bytes(Encoding.DER)),))
    mute = foreign_authority(mute_key := ec.generate_private_key(ec.SECP256R1()), certifies=False)
    made.trusts["mute"] = made.trust(authorities=(pem(mute.public_bytes(Encoding.DER)),))
    uri = x509.UniformResourceIdentifier
    for name, pair, trust, error in (
        ("another_authority", certified(authority("Other")), "plain", "certificate_not_trusted"),
        ("authority_of_the_same_name", certified(other), "plain", "certificate_not_trusted"),
        ("expired_certificate", certified(made.root, end=AT - timedelta(days=1)), "plain", "certificate_not_valid"),
        ("foreign_leaf", leaf_by(ca.subject, root_key), "foreign", None),
        ("leaf_that_is_an_authority", leaf_by(ca.subject, root_key, is_authority=True), "foreign", "bad_certificate"),
        (
            "two_organisations",
            leaf_by(ca.subject, root_key, names=(uri(MAKER), uri(OTHER_MAKER))),
            "foreign",
            "bad_certificate",
        ),
        (
            "a_host_name",
            leaf_by(ca.subject, root_key, names=(x509.DNSName("cells.example"),)),
            "foreign",
            "bad_certificate",
        ),
        (
            "for_a_web_server",
            leaf_by(ca.subject, root_key, purpose=ExtendedKeyUsageOID.SERVER_AUTH),
            "foreign",
            "bad_certificate",
        ),
        (
            "for_any_purpose",
            leaf_by(ca.subject, root_key, purpose=ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE),
            "foreign",
            None,
        ),
        ("authority_that_may_not_certify", leaf_by(mute.subject, mute_key), "mute", "certificate_not_trusted"),
    ):
        verdict = "rejected" if error else "verified"
        made.add(name, "the certificate", Forger(pair).token(), trust=trust, verdict=verdict, error=error)


def disclosures(made: Vectors) -> None:
    """Disclosures."""
    forger, issued = made.forger, state(made.maker)
    token, *given = shown(issued).rstrip("~").split("~")
    altered = forger.disclosure("sub", "https://cells.example/other")
    for name, parts, error in (
        ("altered_disclosure", [token, altered, *given[1:]], "unreferenced_disclosure"),
        (
            "disclosure_of_another_statement",
            [token, *given, shown(state(made.maker)).split("~")[1]],
            "unreferenced_disclosure",
        ),
        ("disclosure_twice", [token, *given, given[0]], "repeated_disclosure"),
        (
            "line_without_its_list",
            [token, *(one for one in given if b'"inputs"' not in decode(one, ""))],
            "unreferenced_disclosure",
        ),
    ):
        made.add(name, "the disclosures", join_presentation(parts[0], parts[1:]), error=error)
    made.add("no_last_tilde", "key binding, which isn't used", shown(issued)[:-1], error="malformed_token")
    made.add("disclosure_in_padded_base64", "another spelling", f"{shown(issued)[:-1]}=~", error="bad_base64")
    for name, texts, error in forged(forger):
        made.add(
            name, "what a careless issuer signed", join_presentation(forger.token_for(*texts[:1]), texts), error=error
        )
    twice = forger.disclosure("sub", "x")
    digest = forger.digests(1, twice)[0]
    repeated = forger.token(forger.payload(_sd=sorted([digest, digest, *forger.decoys(14)])))
    made.add("digest_twice", "which of the two?", join_presentation(repeated, [twice]), error="repeated_digest")
    salt = encode(b"same salt, 16 by")
    pair = [forger.disclosure("sub", "x", salt=salt), forger.disclosure("site", "y", salt=salt)]
    made.add(
        "salt_twice", "it gives values away", join_presentation(forger.token_for(*pair), pair), error="repeated_salt"
    )
    claim = [forger.disclosure("sub", "x"), forger.disclosure("sub", "y")]
    made.add(
        "claim_twice",
        "which of the two?",
        join_presentation(forger.token_for(*claim), claim),
        error="overwriting_disclosure",
    )


def forged(forger: Forger) -> Iterator[tuple[str, list[str], str]]:
    """Names, disclosures (the first stands in `_sd`), and codes."""
    one = forger.disclosure
    yield "issuer_overwritten", [one("iss", "https://evil.example")], "overwriting_disclosure"
    yield "expiry_hidden", [one("exp", 1)], "reserved_claim_name"
    yield "digests_inside_a_claim", [one("sub", {"_sd": []})], "reserved_claim_name"
    yield "short_salt", [one("sub", "x", salt="AAAA")], "bad_disclosure"
    yield "four_parts_disclosed", [one("sub", "x", "y")], "bad_disclosure"
    yield "an_element_as_claim", [one("x")], "bad_disclosure"
    yield "a_list_in_the_open", [one("inputs", [{"id": "li"}])], "bad_disclosure"
    yield "a_claim_as_list", [one("sub", forger.slots())], "bad_disclosure"
    yield "list_not_padded", [one("inputs", forger.slots()[:7])], "bad_digest_list"
    yield "line_without_id", [one("inputs", forger.slots(line := one({"name": "x"}))), line], "bad_disclosure"
    lines = [one({"id": "li"}), one({"id": "li"})]
    yield "two_lines_of_one_id", [one("inputs", forger.slots(*lines)), *lines], "repeated_line"
    named = one("sub", "x")
    yield "claim_as_a_line", [one("inputs", forger.slots(named)), named], "bad_disclosure"


def contents(made: Vectors) -> None:
    """What a statement says that it has: one account, of one claim each and of its real lines."""
    forger = made.forger
    one = forger.disclosure
    lines = [one({"id": "cu", "amount": amount}) for amount in ("50", "0.5")]
    slots = forger.slots(*lines)
    place, other = (slots.index({"...": digest_of(line)}) for line in lines)
    listed, sub = one("inputs", slots), one("sub", f"{MAKER}/cathode")
    claims = {"inputs": digest_of(listed), "sub": digest_of(sub)}
    lists = {"inputs": [place]}
    told = forger.contents(listed, sub, lists=lists)
    rivals = [one("sub", f"{MAKER}/{name}") for name in ("cathode", "anode")]
    accounts = [forger.contents(rival) for rival in rivals]
    far = one("contents", {"claims": claims, "lists": {"inputs": [2**53, 2**53 + 1]}})
    by_list, by_claim = forger.token_for(told, listed, sub), forger.token_for(*accounts, *rivals)
    for name, why, token, shown_, error in (
        ("line_that_is_named", "another stands for a decoy", by_list, [told, listed, lines[0]], None),
        ("line_that_is_not_named", "it stands for a decoy", by_list, [told, listed, lines[1]], "contents_mismatch"),
        ("line_without_contents", "nobody takes that for a whole list", by_list, [listed, lines[1]], None),
        ("one_of_two_truths", "that of the token", by_claim, [accounts[0], rivals[0]], None),
        ("the_other_truth", "not that of the token", by_claim, [accounts[1], rivals[1]], "contents_mismatch"),
        ("claim_of_the_other_truth", "not the one named", by_claim, [accounts[0], rivals[1]], "contents_mismatch"),
        ("both_contents", "which of the two?", by_claim, accounts, "overwriting_disclosure"),
        ("places_far_beyond", "the list isn't shown", forger.token_for(far, listed, sub), [far], None),
    ):
        verdict = "rejected" if error else "verified"
        made.add(name, why, join_presentation(token, shown_), verdict=verdict, error=error)
    for name, value in (
        ("contents_name_themselves", {"claims": {"contents": "x", **claims}, "lists": lists}),
        ("contents_name_what_is_not_there", {"claims": {"site": "A" * 43, **claims}, "lists": lists}),
        ("contents_name_a_digest_twice", {"claims": {"site": claims["sub"], **claims}, "lists": lists}),
        ("contents_leave_a_claim_out", {"claims": {"inputs": claims["inputs"]}, "lists": lists}),
        ("contents_leave_a_list_out", {"claims": claims, "lists": {}}),
        ("contents_count_a_claim", {"claims": claims, "lists": {**lists, "sub": []}}),
        ("contents_count_what_they_do_not_name", {"claims": claims, "lists": {**lists, "stages": []}}),
        ("contents_of_another_form", ["sub"]),
        ("contents_of_counts", {"claims": sorted(claims), "lists": {"inputs": 1}}),
        ("place_beyond_the_list", {"claims": claims, "lists": {"inputs": [place, 8]}}),
        ("place_below_zero", {"claims": claims, "lists": {"inputs": [-1, place]}}),
        ("place_with_a_fraction", {"claims": claims, "lists": {"inputs": [float(place)]}}),
        ("places_not_rising", {"claims": claims, "lists": {"inputs": sorted([place, other])[::-1]}}),
        ("digest_that_is_no_text", {"claims": {"site": 7, **claims}, "lists": lists}),
    ):
        shown_ = [one("contents", value), listed, sub, lines[0]]
        token = forger.token_for(*shown_[:3])
        made.add(name, "what a careless issuer signed", join_presentation(token, shown_), error="contents_mismatch")
    for name, committed in (("no_contents_committed", digest_of("x")), ("another_claim_committed", digest_of(sub))):
        token = forger.token_for(listed, sub, contents_digest=committed)
        made.add(name, "nobody could ever hold it", join_presentation(token, [sub]), error="contents_mismatch")
    token = forger.token(forger.payload(contents_digest=None))
    made.add("contents_digest_missing", "the open claims", token, error="missing_claim")


def proofs(made: Vectors) -> None:
    """Proof files and checkpoints."""
    issued = state(made.maker)
    token, proof = issued.token, made.proof(issued.token)
    note = made.note(token)
    text = note.rpartition("\n\n")[0] + "\n"
    lying = sign_checkpoint(Checkpoint(ORIGIN, SIZE, leaf_hash(b"other")), made.log)
    for name, changed, error in (
        ("another_index", proof.replace(f"index {INDEX}\n", f"index {INDEX + 1}\n"), "bad_proof"),
        ("index_beyond_the_log", proof.replace(f"index {INDEX}\n", f"index {SIZE}\n"), "bad_proof"),
        ("index_with_a_zero", proof.replace(f"index {INDEX}\n", f"index 0{INDEX}\n"), "bad_proof_file"),
        ("hash_flipped", with_line(proof, 3, lambda line: flipped(line, 0)), "bad_proof"),
        ("hash_missing", proof.replace(proof.split("\n")[2] + "\n", ""), "bad_proof"),
        ("hash_too_many", with_line(proof, 2, lambda line: f"{line}\n{line}"), "bad_proof"),
        ("hash_too_short", with_line(proof, 2, lambda _line: base64.b64encode(b"short").decode()), "bad_proof_file"),
        (
            "hashes_swapped",
            with_line(with_line(proof, 2, lambda _: proof.split("\n")[3]), 3, lambda _: proof.split("\n")[2]),
            "bad_proof",
        ),
        ("proof_of_another_version", proof.replace("@v1", "@v2"), "bad_proof_file"),
        ("proof_with_crlf", proof.replace("\n", "\r\n"), "bad_proof_file"),
        ("proof_of_another_entry", made.proof(state(made.maker).token), "bad_proof"),
        ("checkpoint_of_another_size", proof.replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n"), "bad_signature"),
        ("checkpoint_flipped", made.proof(token, with_line(note, -2, lambda line: flipped(line, -1))), "bad_signature"),
        (
            "checkpoint_unsigned",
            made.proof(token, sign_note(text, [NoteSigner("x.example", b"x" * 32)])),
            "unknown_signer",
        ),
        ("checkpoint_with_an_extension", made.proof(token, sign_note(text + "more\n", [made.log])), "bad_checkpoint"),
        (
            "checkpoint_of_another_origin",
            made.proof(token, sign_note(text.replace(ORIGIN, "x.example"), [made.log])),
            "wrong_origin",
        ),
        ("checkpoint_signed_twice", made.proof(token, note + note.split("\n")[-2] + "\n"), "bad_note"),
        ("checkpoint_without_signature", made.proof(token, text), "bad_note"),
        ("signed_false_root", made.proof(token, lying), "bad_proof"),
        ("empty_proof", "\n", "bad_proof_file"),
    ):
        made.add(name, "the proof", shown(issued), proof=changed, error=error)


def archive() -> dict[str, Any]:
    """The smallest evidence file there is, with the trust file of its log."""
    small = small_dossier()
    data = small.file([small.compute(Demand(f"{LITHIUM}/salt"), EVERBATT)])
    return {"file": base64.b64encode(data).decode(), "trust": small.trust().document().decode()}


def shape_of(profile: Profile) -> dict[str, Any]:
    """What a kind is to the page."""
    return {"selective": profile.selective, "open": sorted(profile.open_claims), "lists": sorted(profile.lists)}


def kinds_module() -> str:
    """`kinds.js`: what each kind of statement opens and which lists it has."""
    lines = [f'  "{vct}": {json.dumps(shape_of(kind.profile))},' for vct, kind in sorted(KINDS.items())]
    head = "// Made by `python -m tests.vectors.check.make` from exchange.kinds: what each kind opens, and which lists it has."
    return "\n".join([head, "", "export const KINDS = {", *lines, "};", ""])


def vectors() -> dict[str, Any]:
    """All cases, with the trust files that they name."""
    made = Vectors()
    for add in (
        good,
        witnessed,
        open_ends,
        trust_files,
        headers,
        payloads,
        certificates,
        disclosures,
        contents,
        proofs,
    ):
        add(made)
    return {"trusts": made.trusts, "cases": made.cases, "archive": archive()}


def main() -> None:
    """Write both files."""
    VECTORS.write_text(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    KINDS_MODULE.write_text(kinds_module(), encoding="utf-8")


if __name__ == "__main__":
    main()
