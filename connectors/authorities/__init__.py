"""Factor tables of authorities (examples/authorities) -> a factor release of bom_graph; nothing is fetched here."""

from connectors.authorities.release import AuthoritiesError, factor_release

__all__ = ["AuthoritiesError", "factor_release"]
