"""The register of retired certificates: each once, for one site and month, and no more than the site took from the grid."""

from exchange.retirements.register import Register, RegisterDigest, Retirement

__all__ = ["Register", "RegisterDigest", "Retirement"]
