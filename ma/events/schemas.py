"""The messages for others to read: a JSON Schema of each, written to docs/events."""

import json
import re
from pathlib import Path

from ma.events.broker import CHANNEL, STREAM
from ma.events.messages import MESSAGES, Event

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, str]:
    """The text of each file by its name: one for each message and version, and the envelope of all."""
    found = {file_name(message): _written(_schema(message)) for message in MESSAGES.values()}
    return found | {"envelope.json": _written(_envelope())}


def file_name(message: type[Event]) -> str:
    """The file of a message: another version is another file."""
    return f"{message.__name__}.v{message.version}.json"


def write(folder: Path) -> list[str]:
    """Write all schemas into a folder; the names of those that were new or changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in schemas().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def _schema(message: type[Event]) -> dict:
    made = _untitled(message.model_json_schema())
    own = message.__dict__.get("__doc__")
    described = own or re.sub(r"(?<!^)([A-Z])", lambda found: f" {found[1].lower()}", message.__name__) + "."
    made.pop("description", None)
    head = {"$schema": DRAFT, "$id": file_name(message), "title": message.__name__}
    about = {
        "description": " ".join(described.split()),
        "x-source": message.module,
        "x-version": message.version,
    }
    return head | about | made


def _untitled(schema):
    """A schema without the titles that only repeat the names of fields, and with texts of one line."""
    if isinstance(schema, list):
        return [_untitled(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _untitled(part) for key, part in schema.items() if key != "title" or isinstance(part, dict)}
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].split())
    return kept


def _envelope() -> dict:
    text = {"type": "string"}
    fields = {
        "event_id": text | {"format": "uuid", "description": "The same in every copy: act on it once."},
        "source": text | {"enum": sorted({message.module for message in MESSAGES.values()})},
        "type": text | {"enum": sorted(MESSAGES)},
        "version": text | {"pattern": "^[1-9][0-9]*$"},
        "occurred_at": text | {"format": "date-time", "description": "The workspace's time."},
        "payload": text
        | {
            "contentMediaType": "application/json",
            "description": "JSON of the type's own schema; on the channel an object instead of a text.",
        },
    }
    return {
        "$schema": DRAFT,
        "$id": "envelope.json",
        "title": "Envelope",
        "description": f"An entry of the Redis stream {STREAM}, and a message on the channel {CHANNEL}.",
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _written(schema: dict) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
