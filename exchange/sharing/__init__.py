"""Sharing: grants by the owner, and the evidence that one reader may hold by them."""

from exchange.sharing.readers import Sharing
from exchange.sharing.tables import GrantRow

__all__ = ["GrantRow", "Sharing"]
