"""What the exchange posts to servers that others run: one request, no redirects, and an answer that is read up to a length."""

from __future__ import annotations

import httpx2

MAX_ANSWER = 65_536


class AnswerTooLongError(Exception):
    """A server sent more than MAX_ANSWER bytes."""

    def __init__(self) -> None:
        super().__init__(f"its answer is longer than {MAX_ANSWER} bytes")


def outbound_client(seconds: float) -> httpx2.AsyncClient:
    """Return a client that asks no proxy of the environment and follows no redirect: either would send the request elsewhere."""
    return httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=seconds)


async def post(client: httpx2.AsyncClient, address: str, body: bytes, media: str) -> tuple[int, str, bytes]:
    """Return status, media type and body of the answer, the body as it came. Raises AnswerTooLongError and what httpx2 raises.

    The client's time limits start again with each byte that drips in: whoever calls sets one over all.
    """
    headers = {"Content-Type": media, "Accept-Encoding": "identity"}
    data = b""
    async with client.stream("POST", address, content=body, headers=headers) as answer:
        async for part in answer.aiter_raw():
            data += part
            if len(data) > MAX_ANSWER:
                raise AnswerTooLongError
        return answer.status_code, answer.headers.get("content-type", ""), data
