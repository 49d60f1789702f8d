"""All settings in one typed place: environment variables that begin with MA_, or a `.env` file."""

import json
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ma.errors import InvalidInput
from ma.types import Role

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
_DISCOVERY = "/.well-known/openid-configuration"


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
        description="the key of the hashes kept of erased people, of webhooks' secrets and of the company's "
        "sign-in: with MA_OIDC_ISSUER whoever has it can sign in; empty: made in a file beside the database",
    )
    role_passwords: SecretStr | None = Field(
        None, description="for `python -m ma roles`: role=password, separated by commas; empty: they are made"
    )
    browser: str | None = Field(
        None, description="the Chromium, Chrome or Edge that prints reports as PDF; empty: one is looked for"
    )
    webhook_allow: str = Field(
        "", description="hosts, addresses and networks that webhooks may reach though they are private"
    )
    secure_cookies: bool = Field(False, description="true where the app is served over HTTPS")
    public_url: str | None = Field(
        None, description="the address people open, as in https://workbench.example.com; empty: host and port"
    )
    # The default role and the roles come before what needs them: a check sees only what stands above it.
    oidc_issuer: str | None = Field(
        None, description="the company's identity provider (OpenID Connect); empty: local accounts only"
    )
    oidc_client_id: str | None = Field(
        None, validate_default=True, description="the name of this app at the identity provider"
    )
    oidc_client_secret: SecretStr | None = Field(
        None, validate_default=True, description="the secret of this app at the identity provider"
    )
    oidc_role_claim: str = Field(
        "groups", description="the claim that decides the role; several with commas, nested ones with dots"
    )
    oidc_default_role: Role | None = Field(
        None, description="the role of people whose claims name none; empty: they are refused"
    )
    oidc_roles: Annotated[dict[str, Role], NoDecode] = Field(
        {}, validate_default=True, description="roles by value of the claim: marketing=marketer, boss=admin"
    )
    oidc_scopes: str = Field(
        "openid email profile", description="what the identity provider is asked to tell about a person"
    )
    oidc_label: str = Field(
        "Sign in with your company account", max_length=60, description="the words on the sign-in button"
    )

    @property
    def address(self) -> str:
        """Where browsers reach the app."""
        # No browser can open the address that means: every one of this machine's.
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @field_validator("database_url")
    @classmethod
    def _names_a_database(cls, url: str) -> str:
        if not url.startswith(("sqlite://", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("It must begin with sqlite:/// or postgresql://")
        return url

    @field_validator("webhook_allow")
    @classmethod
    def _names_hosts_and_networks(cls, text: str) -> str:
        for entry in filter(None, map(str.strip, text.split(","))):
            try:
                usable = "/" not in entry or ip_network(entry, strict=False)
            except ValueError:
                usable = False
            if not usable:
                raise ValueError(
                    f"'{entry}' is neither a host nor a network. Write them as in erp.internal,10.1.2.0/24"
                )
        return text

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

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, url: str | None) -> str | None:
        if not url:
            return None
        parts = urlsplit(url.rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise ValueError("It must be an address without a path, as in https://workbench.example.com")
        return url.rstrip("/")

    @field_validator("oidc_issuer")
    @classmethod
    def _is_an_issuer(cls, url: str | None) -> str | None:
        if not url:
            return None
        url = url.strip().removesuffix(_DISCOVERY).rstrip("/")
        parts = urlsplit(url)
        nearby = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and nearby)):
            raise ValueError("It must begin with https://, as in https://login.example.com/realms/company")
        return url

    @field_validator("oidc_client_id", "oidc_client_secret")
    @classmethod
    def _goes_with_the_issuer(cls, value, info: ValidationInfo):
        if info.data.get("oidc_issuer") and not (value and str(value)):
            raise ValueError("Copy it from the identity provider, or leave MA_OIDC_ISSUER empty")
        return value

    @field_validator("oidc_scopes")
    @classmethod
    def _asks_who_it_is(cls, scopes: str) -> str:
        if "openid" not in scopes.split():
            raise ValueError("It must contain openid")
        return scopes

    @field_validator("oidc_default_role", mode="before")
    @classmethod
    def _may_be_none(cls, role: object) -> object:
        return role or None

    @field_validator("oidc_roles", mode="before")
    @classmethod
    def _read_pairs(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        if given.lstrip().startswith("{"):
            try:
                return json.loads(given)
            except ValueError as error:
                raise ValueError('It is not JSON, as in {"marketing": "marketer"}') from error
        pairs = [pair.rpartition("=") for pair in given.split(",") if pair.strip()]
        if not all(value.strip() and equals for value, equals, _role in pairs):
            raise ValueError("Write pairs, as in marketing=marketer, boss=admin")
        return {value.strip(): role.strip() for value, _equals, role in pairs}

    @field_validator("oidc_roles")
    @classmethod
    def _lets_somebody_in(cls, roles: dict[str, Role], info: ValidationInfo) -> dict[str, Role]:
        if info.data.get("oidc_issuer") and not roles and not info.data.get("oidc_default_role"):
            raise ValueError("Nobody would have a role. Set it, or MA_OIDC_DEFAULT_ROLE")
        return roles


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
