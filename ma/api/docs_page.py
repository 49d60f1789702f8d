"""The API's page for people, made from its OpenAPI document.

It needs no script and nothing from other hosts, so it works behind the strictest policy.
"""

from html import escape
from typing import Any

from ma.api.problems import KINDS

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
 color: #1e2233; background: #fff }
h1, h2 { line-height: 1.25 } h2 { margin-top: 2.5rem; border-bottom: 1px solid #e1e4ed }
details { border: 1px solid #e1e4ed; border-radius: .5rem; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer } code { font-size: .92em }
.verb { display: inline-block; width: 4.5rem; font-weight: 650 }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 }
caption { text-align: left; font-weight: 650 }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0 }
.muted { color: #565d75 } .prose { white-space: pre-line } a { color: #4350c8 }
@media (prefers-color-scheme: dark) {
 body { background: #12151f; color: #e8eaf3 } a { color: #a3acf7 } .muted { color: #a9afc3 }
 details, h2 { border-color: #2c3145 }
}
"""
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}: API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>
"""


def page_of(document: dict) -> str:
    """The whole page: every address with its parameters, body and answers, and the kinds of problems."""
    info = document["info"]
    operations: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown = _operation(path, method, operation, document)
            operations.setdefault(operation["tags"][0], []).append(shown)
    menu = " · ".join(f'<a href="#{tag}">{tag}</a>' for tag in (*operations, "problems"))
    nouns = "".join(
        f'<h2 id="{tag}">{tag.capitalize()}</h2>{"".join(ops)}' for tag, ops in operations.items()
    )
    return (
        _HEAD.format(title=escape(info["title"]), style=_STYLE)
        + f"<body><h1>API of the workbench</h1><p>{escape(info['description'])}</p>"
        + f'<p>{menu} · <a href="/api/openapi.json">openapi.json</a></p>{nouns}'
        + f'<h2 id="problems">Problems</h2>{_problems()}</body></html>'
    )


def _problems() -> str:
    kinds = {kind.name: kind for kind in reversed(KINDS)}.values()
    rows = [
        f'<tr id="{kind.name}"><td><code>{kind.name}</code></td><td>{kind.status}</td>'
        f"<td>{escape(kind.title)}</td></tr>"
        for kind in sorted(kinds, key=lambda kind: kind.status)
    ]
    return f"<table><tr><th>kind</th><th>status</th><th>means</th></tr>{''.join(rows)}</table>"


def _operation(path: str, method: str, operation: dict, document: dict) -> str:
    parts = [f'<p class="prose">{escape(operation.get("description") or operation["summary"])}</p>']
    parameters = [
        (f"{one['name']} ({one['in']})", one["schema"], one.get("description"), one.get("required", False))
        for one in operation.get("parameters", ())
    ]
    if parameters:
        parts.append(_table("Parameters", parameters))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        parts.append(_table("Body", _fields(_resolved(body, document))))
    answers = [
        f"{status}: {escape(one['description'])}"
        for status, one in operation["responses"].items()
        if status < "4"
    ]
    return (
        f'<details><summary><span class="verb">{method.upper()}</span><code>/api{escape(path)}</code> '
        f'<span class="muted">{escape(operation["summary"])}</span></summary>{"".join(parts)}'
        f'<p class="muted">Answers {"; ".join(answers)}</p></details>'
    )


def _fields(schema: dict) -> list[tuple]:
    needed = schema.get("required", ())
    return [
        (name, field, field.get("description"), name in needed)
        for name, field in schema.get("properties", {}).items()
    ]


def _table(title: str, fields: list[tuple]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td>"
        f"<td>{escape(_kind(schema))}{', required' if needed else ''}</td><td>{escape(words or '')}</td></tr>"
        for name, schema, words, needed in fields
    )
    return f"<table><caption>{title}</caption>{rows}</table>"


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return schema.get("format") or schema.get("type", "any")


def _resolved(schema: dict, document: dict) -> dict:
    if "$ref" in schema:
        return document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema
