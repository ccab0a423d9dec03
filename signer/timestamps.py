"""RFC 3161 timestamps: that a digest existed at a time, on the word of a timestamping authority; checked offline.

A response is read and its signature and chain are checked by rfc3161-client, at the time that the response states: an
authority's certificate may have expired since. Authorities in between come inside the response; none are taken from
elsewhere, since that library believes every self-signed certificate that it is handed.
"""

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from rfc3161_client import (
    Accuracy,
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    TimeStampTokenInfo,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from signer.errors import MalformedTimestampError, TimestampMismatchError, TimestampNotTrustedError

_SHA256 = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_VERIFY_ERROR = re.compile(r'Verify error: ([^"]{1,120})')
_MAX_RESPONSE = 65_536
# RFC 3161, 2.4.2: without a stated accuracy the time is as good as its spelling, which is whole seconds mostly.
_NO_ACCURACY = timedelta(seconds=1)


@dataclasses.dataclass(frozen=True)
class Timestamp:
    """What a verified response proves: `digest` (32 bytes) existed between `earliest` and `latest` (UTC) at that authority.

    The two are the stated time less and plus the stated accuracy. `authority` is the hexadecimal SHA-256 of the root's DER.
    """

    digest: bytes
    earliest: datetime
    latest: datetime
    authority: str


def timestamp_request(data: bytes) -> bytes:
    """What a timestamping authority is sent to have `data` stamped: a `TimeStampReq` in DER over its SHA-256, with `certReq`.

    Without a nonce: the same data give the same request. An old response that somebody plays back still is true; whether
    it is new is for whoever asked to see by its time.
    """
    builder = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256)
    return builder.nonce(nonce=False).cert_request(cert_request=True).build().as_bytes()


def verify_timestamp(response: bytes, digest: bytes, authorities: Sequence[bytes]) -> Timestamp:
    """The time that an RFC 3161 response (DER) gives to the SHA-256 `digest`, once a trusted authority signed it.

    `authorities` are root certificates in DER. The response must hold the signer's certificate (`certReq`).
    Raises MalformedTimestampError, TimestampMismatchError or TimestampNotTrustedError.
    """
    # 1. Form: a granted response, whole.
    decoded, info = _decode(response)
    # 2. What is stamped: this digest, by SHA-256.
    imprint = info.message_imprint
    if imprint.hash_algorithm != _SHA256 or imprint.message != digest:
        remedy = "get the timestamp over the SHA-256 of these bytes"
        raise TimestampMismatchError("the timestamp is over another digest", where="messageImprint", remedy=remedy)
    # 3. Who stamped it: signature, chain and purpose of the signer, at the stated time.
    root = _signing_root(decoded, digest, authorities)
    # 4. When.
    return _timestamp(info, digest, root)


def _decode(response: bytes) -> tuple[TimeStampResponse, TimeStampTokenInfo]:
    try:
        if len(response) > _MAX_RESPONSE:
            raise ValueError(f"longer than {_MAX_RESPONSE} bytes")
        decoded = decode_timestamp_response(response)
        if PKIStatus(decoded.status) is not PKIStatus.GRANTED:
            raise ValueError(f"not granted, status {decoded.status}")
        info = decoded.tst_info
    except (ValueError, TypeError, OverflowError) as error:
        raise _malformed(f"not a granted RFC 3161 response: {_cause(error)}") from error
    return decoded, info


def _signing_root(decoded: TimeStampResponse, digest: bytes, authorities: Sequence[bytes]) -> bytes:
    # One by one: of several roots of the same name openssl tries only one, and the library hands them over unordered.
    cause = "no timestamping authority is trusted"
    for der in authorities:
        try:
            VerifierBuilder(roots=[x509.load_der_x509_certificate(der)]).build().verify(decoded, digest)
        except (VerificationError, ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
            cause = _cause(error)
        else:
            return der
    what = f"no trusted timestamping authority signed it: {cause}"
    remedy = "check the authorities, or ask one of them with certReq set"
    raise TimestampNotTrustedError(what, where="timestamp signature", remedy=remedy)


def _timestamp(info: TimeStampTokenInfo, digest: bytes, root: bytes) -> Timestamp:
    try:
        accuracy = _accuracy(info)
        return Timestamp(digest, info.gen_time - accuracy, info.gen_time + accuracy, hashlib.sha256(root).hexdigest())
    except (ValueError, OverflowError) as error:
        raise _malformed("time or accuracy out of range") from error


def _accuracy(info: TimeStampTokenInfo) -> timedelta:
    stated = cast("Accuracy | None", info.accuracy)  # absent in many responses, whatever its type says
    if stated is None:
        return _NO_ACCURACY
    parts = timedelta(seconds=stated.seconds or 0, milliseconds=stated.millis or 0, microseconds=stated.micros or 0)
    if parts < timedelta(0):
        raise ValueError("a negative accuracy")
    return parts


def _cause(error: Exception) -> str:
    """What openssl or the parser found, without the stack around it."""
    text = str(error)
    found = _VERIFY_ERROR.search(text)
    return found[1] if found else (text.splitlines() or [""])[0][:120]


def _malformed(what: str) -> MalformedTimestampError:
    return MalformedTimestampError(what, where="timestamp", remedy="get the response from the authority again")
