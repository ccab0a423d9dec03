"""The settings: read once at the start by `app` and `cli`, from PACKTRACE_* variables or ``packtrace.toml``, and passed on."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ledger import BadKeyError, require_origin

DEFAULT_PORT = 8551
PREFIX = "PACKTRACE_"


class _Variables(EnvSettingsSource):
    """The environment, with the variables of our prefix that are no settings too: `extra` refuses them, as it does in the file."""

    def __call__(self) -> dict[str, Any]:
        prefix = self.env_prefix.lower()
        ours = {name.removeprefix(prefix): value for name, value in self.env_vars.items() if name.startswith(prefix)}
        ours.pop("client_secret", None)  # of the commands that ask an exchange
        return {name: value for name, value in ours.items() if name not in Settings.model_fields} | super().__call__()


class Settings(BaseSettings):
    """How one exchange runs. Each field's description is its help, in `packtrace serve --help` and docs/operations.md."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file="packtrace.toml", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    data: Path = Field(
        default=Path(".packtrace"), description="Folder of keys, trust file, published log and SQLite database."
    )
    database_url: str | None = Field(
        default=None,
        repr=False,  # it may hold a password
        description="PostgreSQL URL (postgresql+psycopg://...); without it, SQLite in the data folder.",
    )
    process: Literal["web", "worker", "calculator", "both"] = Field(
        default="both",
        description="What this process does: web (answers), worker (signs, sends, calculates), calculator (calculates), or both.",
    )
    host: str = Field(
        default="127.0.0.1", description="Address to listen on: a loopback one, behind a proxy that ends TLS."
    )
    port: int = Field(default=DEFAULT_PORT, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_address: str | None = Field(
        default=None,
        description="Address (https://...) of the proxy that ends TLS before the exchange; without it, loopback only.",
    )
    origin: str | None = Field(
        default=None, description="The log's name, fixed when the log is founded; made up without it."
    )
    passphrase: SecretStr | None = Field(
        default=None,
        description="Passphrase of the operator's keys; without it, the one kept in the data folder (mode 0600).",
    )
    checkpoint_seconds: float = Field(default=1.0, ge=0.1, le=60, description="Seconds between published checkpoints.")
    witness_policy: Path | None = Field(
        default=None,
        description="File (tlog-policy) of the witnesses that are asked to cosign checkpoints; without it, nobody is.",
    )
    witness_seconds: float = Field(
        default=5.0, ge=0.1, le=10, description="Seconds that all witnesses together have to answer."
    )

    timestamp_authority: str | None = Field(
        default=None,
        description="Address of an RFC 3161 timestamping authority that checkpoints are sent to; without it, none are.",
    )
    timestamp_roots: Path | None = Field(
        default=None,
        validate_default=True,
        description="File (PEM) of that authority's root certificates; needed with one.",
    )
    timestamp_hours: float = Field(
        default=24.0,
        ge=0.1,
        le=8_760,
        description="Hours from one timestamp to the next; after a failure it is soon tried again.",
    )

    max_waiting: int = Field(
        default=128, ge=1, le=1024, description="Submissions that may wait for their commit; more are refused with 503."
    )

    requests_per_minute: int = Field(
        default=6_000,
        ge=1,
        description="Requests a minute of one member, program or token that a web process answers; more get 429.",
    )
    address_requests_per_minute: int = Field(
        default=12_000, ge=1, description="Requests a minute from one address that a web process answers; more get 429."
    )
    public_requests_per_minute: int = Field(
        default=60_000, ge=1, description="The same for the published log, health and the files of pages."
    )

    max_attachment_mib: int = Field(
        default=20,
        ge=1,
        le=1024,
        description="MiB of a file that a statement names as evidence; larger ones are refused.",
    )

    event_days: int = Field(
        default=365,
        ge=1,
        le=36_500,
        description="Days that events are kept which were read or sent; those that nobody has seen are kept longer.",
    )
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Hosts that webhooks may go to beside public ones, such as https://hooks.corp.example:8443; commas between.",
    )
    smtp_host: str | None = Field(
        default=None, description="Mail server that events are mailed through; without it, none are."
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="Encryption to the mail server: starttls, tls, or none, which loopback alone is taken with.",
    )
    smtp_user: str = Field(default="", description="User at the mail server; without it, nobody logs in there.")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="Password at the mail server.")
    smtp_sender: str = Field(
        default="",
        validate_default=True,
        description="Mail address that events are sent from; needed with a mail server.",
    )

    @field_validator("timestamp_authority")
    @classmethod
    def _asked_by_http(cls, address: str | None) -> str | None:
        parts = urlsplit(address or "http://none")
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.fragment:
            raise ValueError("write it as http://name/path or https://name/path, without a user")
        return address

    @field_validator("timestamp_roots")
    @classmethod
    def _has_roots(cls, roots: Path | None, info: ValidationInfo) -> Path | None:
        if roots is None and info.data.get("timestamp_authority") is not None:
            raise ValueError("what a timestamping authority answers is checked against its roots: name their file")
        return roots

    @field_validator("webhook_hosts", mode="before")
    @classmethod
    def _hosts(cls, hosts: Any) -> Any:
        return [one.strip() for one in hosts.split(",") if one.strip()] if isinstance(hosts, str) else hosts

    @field_validator("smtp_security")
    @classmethod
    def _encrypted(cls, security: str, info: ValidationInfo) -> str:
        if security == "none" and info.data.get("smtp_host") not in (None, "127.0.0.1", "::1", "localhost"):
            raise ValueError("mail goes unencrypted to a server on this machine alone")
        return security

    @field_validator("smtp_sender")
    @classmethod
    def _has_sender(cls, sender: str, info: ValidationInfo) -> str:
        if not sender and info.data.get("smtp_host") is not None:
            raise ValueError("mail needs an address that it is sent from")
        return sender

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        address = "127.0.0.1" if host == "localhost" else host
        try:
            loopback = ipaddress.ip_address(address).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError(f"{host} is not a loopback address; let a proxy that ends TLS stand before the exchange")
        return address

    @field_validator("public_address")
    @classmethod
    def _https(cls, address: str | None) -> str | None:
        if address is None:
            return None
        parts = urlsplit(address)
        if parts.scheme != "https" or not parts.netloc or parts.path.strip("/") or parts.query or "@" in parts.netloc:
            raise ValueError("write it as https://name, without path")
        return f"https://{parts.netloc.lower()}"

    @field_validator("origin")
    @classmethod
    def _name_of_a_log(cls, origin: str | None) -> str | None:
        try:
            return None if origin is None else require_origin(origin)
        except BadKeyError as error:
            raise ValueError(error.what) from None

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgresql+psycopg://", "sqlite:///")):
            raise ValueError("use postgresql+psycopg:// (PostgreSQL) or sqlite:/// (SQLite)")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before environment before packtrace.toml."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _Variables(settings_cls), TomlConfigSettingsSource(settings_cls)

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{(self.data / 'exchange.sqlite').absolute()}"
