"""All settings in one typed place: environment variables that begin with MA_, or a `.env` file."""

from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ma.errors import InvalidInput

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"


class Settings(BaseSettings):
    """What can be set from outside. `python -m ma doctor` lists the values with these descriptions."""

    model_config = SettingsConfigDict(env_prefix="MA_", env_file=ROOT / ".env", extra="ignore")

    env: Literal["development", "production"] = Field(
        "development", description="production refuses the demo world and the demo login"
    )
    database_url: str = Field(
        f"sqlite:///{DATA / 'ma.db'}", description="where everything is kept: SQLite or PostgreSQL"
    )
    redis_url: str | None = Field(
        None, description="the event bus; empty: the app hands events to its subscribers itself"
    )
    events_inside: bool = Field(
        True, description="with a bus: relay and subscribers run inside the app; false: as processes"
    )
    host: str = Field("127.0.0.1", description="the address the app listens on")
    port: int = Field(8501, ge=1, le=65535, description="the port the app listens on")
    allowed_hosts: str = Field(
        "", description="names under which people reach the app, beside localhost; separated by commas"
    )
    timezone: str = Field("UTC", description="the time zone of a new workspace")
    currency: str = Field("USD", pattern="^[A-Z]{3}$", description="the currency of a new workspace")
    demo: bool = Field(False, description="load the demo world into a new database when the app starts")
    admin_password: SecretStr | None = Field(
        None, description="the password of the first user of a new workspace; empty: one is made and printed"
    )
    password: SecretStr | None = Field(
        None, description="the password for `python -m ma user add`; empty: it is asked for"
    )
    secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="the key of the hashes kept of erased people; empty: made in a file beside the database",
    )
    role_passwords: SecretStr | None = Field(
        None, description="for `python -m ma roles`: role=password, separated by commas; empty: they are made"
    )
    browser: str | None = Field(
        None, description="the Chromium, Chrome or Edge that prints reports as PDF; empty: one is looked for"
    )
    secure_cookies: bool = Field(False, description="true where the app is served over HTTPS")

    @field_validator("database_url")
    @classmethod
    def _names_a_database(cls, url: str) -> str:
        if not url.startswith(("sqlite://", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("It must begin with sqlite:/// or postgresql://")
        return url

    @field_validator("redis_url")
    @classmethod
    def _names_a_bus(cls, url: str | None) -> str | None:
        if not url:
            return None
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError(
                "It must begin with redis://, rediss:// or unix://, as in redis://localhost:6379"
            )
        try:
            _port = urlsplit(url).port
        except ValueError as error:
            raise ValueError("Its port must be a number, as in redis://localhost:6379") from error
        return url


@lru_cache
def settings() -> Settings:
    """The settings of this process, read once.

    Raises InvalidInput that names each variable that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
    # Not inside the except: what was given, which can hold a password, must not hang on the new error.
    raise InvalidInput(dict(map(_problem, found)))


def _problem(found: dict) -> tuple[str, str]:
    field = str(found["loc"][0])
    description = Settings.model_fields[field].description
    name, reason = f"MA_{field.upper()}", found["msg"].removeprefix("Value error, ").rstrip(".")
    return name, f"{name} ({description}) cannot be used. {reason}."
