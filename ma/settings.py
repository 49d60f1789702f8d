"""All settings in one typed place: environment variables that begin with MA_, or a `.env` file."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"


class Settings(BaseSettings):
    """What can be set from outside. Every field's description is printed by `python -m ma doctor`."""

    model_config = SettingsConfigDict(env_prefix="MA_", env_file=ROOT / ".env", extra="ignore")

    env: Literal["development", "production"] = Field(
        "development", description="production refuses the demo world and the demo login"
    )
    database_url: str = Field(
        f"sqlite:///{DATA / 'ma.db'}", description="where everything is kept: SQLite or PostgreSQL"
    )
    redis_url: str | None = Field(None, description="the event bus; empty: events wait in the database")
    host: str = Field("127.0.0.1", description="the address the app listens on")
    port: int = Field(8501, ge=1, le=65535, description="the port the app listens on")
    timezone: str = Field("UTC", description="the time zone of a new workspace")
    currency: str = Field("USD", pattern="^[A-Z]{3}$", description="the currency of a new workspace")
    demo: bool = Field(False, description="load the demo world into a new database when the app starts")
    admin_password: SecretStr | None = Field(
        None, description="the password of the first user of a new workspace; empty: one is made and printed"
    )
    secure_cookies: bool = Field(False, description="true where the app is served over HTTPS")


@lru_cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
