"""Settings: where they come from, what they refuse, and that every one is documented."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from exchange.settings import DEFAULT_PORT, Settings

OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without packtrace.toml, and no variables of ours."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PACKTRACE_{name.upper()}", raising=False)
    return tmp_path


def test_without_anything_the_demo_runs_on_sqlite_in_the_data_folder(elsewhere: Path) -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", DEFAULT_PORT)
    assert settings.url == f"sqlite:///{elsewhere / '.packtrace' / 'exchange.sqlite'}"


def test_arguments_go_before_variables_and_variables_before_the_file(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "packtrace.toml").write_text('port = 1\norigin = "file.example"\ncheckpoint_seconds = 5\n')
    monkeypatch.setenv("PACKTRACE_PORT", "2")
    monkeypatch.setenv("PACKTRACE_ORIGIN", "variable.example")
    settings = Settings(port=3)
    assert (settings.port, settings.origin, settings.checkpoint_seconds) == (3, "variable.example", 5)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_an_address_of_this_machine_is_taken(host: str) -> None:
    assert Settings(host=host).host in (host, "127.0.0.1")


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.168.1.5", "example.org", "localhost.example", "", "127.0.0.1:80"],  # noqa: S104
)
def test_any_other_address_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="loopback"):
        Settings(host=host)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", "mysql://localhost/x"),
        ("database_url", "postgresql://localhost/x"),
        ("port", "65536"),
        ("port", "-1"),
        ("checkpoint_seconds", "0"),
        ("checkpoint_seconds", "nan"),
        ("origin", "o" * 201),
        ("smtp_port", "0"),
        ("smtp_security", "ssl"),
        ("timestamp_authority", "tsa.example"),
        ("timestamp_authority", "ftp://tsa.example"),
        ("timestamp_authority", "http://me:secret@tsa.example"),
        ("timestamp_authority", "http://tsa.example"),  # without its roots
        ("timestamp_hours", "0"),
    ],
)
def test_a_value_that_would_not_work_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"PACKTRACE_{name.upper()}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_mail_goes_unencrypted_to_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKTRACE_SMTP_SENDER", "exchange@packtrace.example")
    monkeypatch.setenv("PACKTRACE_SMTP_SECURITY", "none")
    assert Settings(smtp_host="127.0.0.1").smtp_security == "none"
    with pytest.raises(ValidationError, match=r"smtp_security\n.*on this machine"):
        Settings(smtp_host="mail.example")
    assert Settings(smtp_host="mail.example", smtp_security="tls").smtp_port == 587
    monkeypatch.delenv("PACKTRACE_SMTP_SENDER")
    with pytest.raises(ValidationError, match=r"smtp_sender\n.*sent from"):
        Settings(smtp_host="mail.example", smtp_security="tls")


def test_hosts_of_webhooks_are_parted_by_commas_or_listed(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().webhook_hosts == ()
    (elsewhere / "packtrace.toml").write_text('webhook_hosts = ["https://a:1", "https://b:2"]\n')
    assert Settings().webhook_hosts == ("https://a:1", "https://b:2")
    monkeypatch.setenv("PACKTRACE_WEBHOOK_HOSTS", "http://127.0.0.1:9000, https://c:3,")
    assert Settings().webhook_hosts == ("http://127.0.0.1:9000", "https://c:3")


def test_a_setting_that_does_not_exist_is_refused(elsewhere: Path) -> None:
    (elsewhere / "packtrace.toml").write_text("prot = 1\n")
    with pytest.raises(ValidationError, match="prot"):
        Settings()


@pytest.mark.parametrize("name", ["PACKTRACE_PROT", "packtrace_prot", "PACKTRACE_"])
def test_a_variable_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "hunter2")
    with pytest.raises(ValidationError, match=r"prot|__root__|Extra inputs") as caught:
        Settings(port=1)
    assert "hunter2" not in str(caught.value)


def test_another_program_s_variable_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKTRACER_PROT", "1")
    assert Settings().port == DEFAULT_PORT


def test_secrets_are_in_no_representation_or_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKTRACE_PASSPHRASE", "open sesame")
    monkeypatch.setenv("PACKTRACE_DATABASE_URL", "postgresql+psycopg://user:hunter2@localhost/x")
    settings = Settings()
    assert settings.passphrase is not None
    assert settings.passphrase.get_secret_value() == "open sesame"
    monkeypatch.setenv("PACKTRACE_DATABASE_URL", "postgres://user:hunter2@localhost/x")
    with pytest.raises(ValidationError) as caught:
        Settings()
    shown = f"{settings!r} {settings} {caught.value} {caught.value!r}"
    assert "open sesame" not in shown
    assert "mail password" not in repr(Settings(database_url=None, smtp_password="mail password"))
    assert "hunter2" not in shown


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_help(name: str) -> None:
    text = OPERATIONS.read_text("utf-8")
    field = Settings.model_fields[name]
    assert f"`PACKTRACE_{name.upper()}`" in text
    assert field.description is not None
    assert field.description in text, "the help text of the setting, word by word"
