"""A witness: a process of its own, with its own key and memory, that cosigns the checkpoints of other people's logs."""

from exchange.witness.app import create_witness_app
from exchange.witness.folder import Witness, open_witness
from exchange.witness.serving import serve_witness

__all__ = ["Witness", "create_witness_app", "open_witness", "serve_witness"]
