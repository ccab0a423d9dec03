"""Everything that this package raises, grouped by who has to act.

Each class has a stable `code` that programs may rely on; the sentence may change. Keys, salts, passphrases and disclosed
values never appear in an error.
"""

from typing import ClassVar


class SignerError(Exception):
    """Base of all errors of this package: what is wrong, where it is, and what to do about it."""

    code: ClassVar[str] = "signer_error"

    def __init__(self, what: str, *, where: str, remedy: str) -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} (at {self.where}); {self.remedy}"


# --- The bytes: whoever made the token has to mend their software -------------------------------------------------


class MalformedTokenError(SignerError):
    """Not three dot-separated parts in ASCII, or a presentation without its tildes."""

    code = "malformed_token"


class TokenTooLargeError(MalformedTokenError):
    """More bytes than a ledger entry or a disclosure may have."""

    code = "token_too_large"


class BadBase64Error(MalformedTokenError):
    """Not the one canonical base64 or base64url spelling of its bytes."""

    code = "bad_base64"


class BadJsonError(MalformedTokenError):
    """Not strict JSON: syntax, encoding, NaN, infinite numbers, lone surrogates."""

    code = "bad_json"


class DuplicateMemberError(BadJsonError):
    """A JSON object names a member twice, so that two readers may read two things."""

    code = "duplicate_member"


class TooDeepError(BadJsonError):
    """JSON nested deeper than we follow."""

    code = "too_deep"


class BadHeaderError(SignerError):
    """A member of the protected header is absent or has the wrong form."""

    code = "bad_header"


class UnknownHeaderMemberError(BadHeaderError):
    """The header holds a member outside alg, typ, kid, x5c (for example crit, jku, jwk, x5u)."""

    code = "unknown_header_member"


class WrongTypeError(BadHeaderError):
    """`typ` is not `dc+sd-jwt`."""

    code = "wrong_type"


class AlgorithmNotAllowedError(BadHeaderError):
    """`alg` is not ES256 or Ed25519, or is not the algorithm of the certified key."""

    code = "algorithm_not_allowed"


# --- The claims: the issuer has to issue something else -----------------------------------------------------------


class BadClaimError(SignerError):
    """A claim has the wrong form."""

    code = "bad_claim"


class MissingClaimError(BadClaimError):
    """A claim that must be open is absent."""

    code = "missing_claim"


class ClaimNotOpenError(BadClaimError):
    """A claim stands in the open that the kind does not allow there."""

    code = "claim_not_open"


class WrongKindError(BadClaimError):
    """`vct` names another kind than the profile."""

    code = "wrong_kind"


class WrongAudienceError(BadClaimError):
    """`aud` names another ledger than the one this trust is for."""

    code = "wrong_audience"


class TokenNotValidError(BadClaimError):
    """`exp` or `nbf` says that the token is not valid at the time in question."""

    code = "token_not_valid"


class UnknownDigestAlgorithmError(BadClaimError):
    """`_sd_alg` is not `sha-256`."""

    code = "unknown_digest_algorithm"


class BadDigestListError(BadClaimError):
    """A list of digests is not padded to its size, not sorted (`_sd`), or holds something else than digests."""

    code = "bad_digest_list"


class RepeatedDigestError(BadClaimError):
    """The same digest stands in a statement twice."""

    code = "repeated_digest"


class WeakRandomnessError(SignerError):
    """The source of random bytes gave the wrong number of bytes, or the same ones again."""

    code = "weak_randomness"


# --- The disclosures: whoever presents the statement has to present others ----------------------------------------


class BadDisclosureError(SignerError):
    """A disclosure is not [salt, name, value] or [salt, value] where it is referenced."""

    code = "bad_disclosure"


class UnreferencedDisclosureError(BadDisclosureError):
    """No digest in the statement stands for this disclosure: it was altered, or belongs to another statement."""

    code = "unreferenced_disclosure"


class RepeatedDisclosureError(BadDisclosureError):
    """The same disclosure is presented twice."""

    code = "repeated_disclosure"


class RepeatedSaltError(BadDisclosureError):
    """Two disclosures share a salt."""

    code = "repeated_salt"


class OverwritingDisclosureError(BadDisclosureError):
    """A disclosure bears the name of an open claim or of another disclosure."""

    code = "overwriting_disclosure"


class ReservedClaimNameError(BadDisclosureError):
    """`_sd`, `...`, or a claim that must never be hidden is used as a name where the format keeps it for itself."""

    code = "reserved_claim_name"


class ContentsMismatchError(BadDisclosureError):
    """The disclosures do not agree with the statement's own table of contents."""

    code = "contents_mismatch"


class RepeatedLineError(BadDisclosureError):
    """Two lines of one list have the same `id`."""

    code = "repeated_line"


class UnknownPathError(SignerError):
    """No disclosure at hand answers to this path."""

    code = "unknown_path"


# --- Who signed: certificates and signatures ----------------------------------------------------------------------


class BadSignatureError(SignerError):
    """The signature does not verify under the certified key."""

    code = "bad_signature"


class BadKeyError(SignerError):
    """A key of an algorithm that we do not use, or bytes that are no key."""

    code = "bad_key"


class BadCertificateError(SignerError):
    """Not a certificate that we can use: form, key, extensions, or not exactly one organisation."""

    code = "bad_certificate"


class CertificateNotTrustedError(SignerError):
    """No path leads from the certificate to an authority that may speak for the organisation."""

    code = "certificate_not_trusted"


class CertificateNotValidError(SignerError):
    """The certificate is not valid at the time in question."""

    code = "certificate_not_valid"


class OrganisationMismatchError(SignerError):
    """Two places that must name the same organisation name different ones."""

    code = "organisation_mismatch"


class KeyMismatchError(SignerError):
    """Two places that must name the same key name different ones."""

    code = "key_mismatch"


class IssuedOutsideValidityError(SignerError):
    """`iat` lies before the certificate or too far after the time of verification."""

    code = "issued_outside_validity"


class NaiveTimeError(SignerError):
    """A time without a time zone was given."""

    code = "naive_time"


# --- The key register: the operator has to act --------------------------------------------------------------------


class BadKeyEventError(SignerError):
    """A key event lacks a claim, contradicts itself, or comes out of order."""

    code = "bad_key_event"


class BadPossessionError(BadKeyEventError):
    """The proof of possession does not verify under the key to be enrolled."""

    code = "bad_possession"


class NotAuthorisedError(BadKeyEventError):
    """The signer may not enrol or revoke this key."""

    code = "not_authorised"


class AlreadyEnrolledError(BadKeyEventError):
    """The certificate is enrolled already, or the key belongs to another organisation."""

    code = "already_enrolled"


class CompromiseInFutureError(BadKeyEventError):
    """A key is declared compromised from an entry on that is not there yet."""

    code = "compromise_in_future"


class KeyNotEnrolledError(SignerError):
    """The signing key and certificate were not enrolled before this entry."""

    code = "key_not_enrolled"


class KeyRevokedError(SignerError):
    """The signing key was revoked at or before this entry."""

    code = "key_revoked"


# --- Citations: the citing organisation has to issue something else -----------------------------------------------


class CitationError(SignerError):
    """A citation does not lead to an entry that the statement may cite."""

    code = "citation"


class MalformedCitationError(CitationError):
    """Not {origin, index, leaf_hash}."""

    code = "malformed_citation"


class CitationNotEarlierError(CitationError):
    """The citation is to the citing entry itself or to a later one."""

    code = "citation_not_earlier"


class CitationToUnknownLogError(CitationError):
    """The citation is to a log that is neither this one nor its named predecessor."""

    code = "citation_to_unknown_log"


class CitationOutOfBoundsError(CitationError):
    """The citation is to an entry that the predecessor never had."""

    code = "citation_out_of_bounds"


class CitationMismatchError(CitationError):
    """The entry at the cited index is not the cited one."""

    code = "citation_mismatch"


# --- Time: whoever holds the timestamps has to get others ---------------------------------------------------------


class TimestampError(SignerError):
    """A timestamp that proves nothing about the digest in question."""

    code = "bad_timestamp"


class MalformedTimestampError(TimestampError):
    """Not a granted RFC 3161 response in DER."""

    code = "malformed_timestamp"


class TimestampMismatchError(TimestampError):
    """The timestamp is over another digest, or over none of SHA-256."""

    code = "timestamp_mismatch"


class TimestampNotTrustedError(TimestampError):
    """The signature does not verify, or no path leads from the signer to a timestamping authority that is trusted."""

    code = "timestamp_not_trusted"


class BadIntervalError(SignerError):
    """A negative size or index, or an interval that ends before it starts."""

    code = "bad_interval"


class BadPolicyDigestError(SignerError):
    """What is to stand in a verdict is not the hexadecimal SHA-256 of a policy."""

    code = "bad_policy_digest"


# --- The key store: the owner of the machine has to act -----------------------------------------------------------


class KeyStoreError(SignerError):
    """A key file could not be read or written."""

    code = "key_store_error"


class KeyFileExposedError(KeyStoreError):
    """Others than the owner may read the key file, or it is no regular file."""

    code = "key_file_exposed"


class KeyFileUnreadableError(KeyStoreError):
    """Wrong passphrase, not encrypted, or not a key file."""

    code = "key_file_unreadable"


class KeyExistsError(KeyStoreError):
    """There is a file where a new key was to be written."""

    code = "key_exists"


class KeyAddressError(KeyStoreError):
    """Not the address of a key that can be used here."""

    code = "key_address"


class PassphraseError(KeyStoreError):
    """There is no passphrase, or not one that can be used."""

    code = "passphrase"
