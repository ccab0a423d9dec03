"""The demo: a real supply chain of fictitious companies, played through the real code over HTTP."""

from exchange.demo.play import Played, play
from exchange.demo.summary import print_summary, summary
from exchange.demo.tables import tables_folder

__all__ = ["Played", "play", "print_summary", "summary", "tables_folder"]
