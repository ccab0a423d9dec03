"""Sharing: grants by the owner, and the evidence that one reader may hold by them."""

from exchange.sharing.readers import Sharing, disclosed_to
from exchange.sharing.tables import GrantRow

__all__ = ["GrantRow", "Sharing", "disclosed_to"]
