"""GitHub's published OpenAPI description, and what of a request does not fit it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

DESCRIPTION = Path(__file__).parent / "github" / "openapi.json"
BELOW = "/api/v3"


@dataclass
class _Request:
    """A request as openapi-core reads it."""

    host_url: str
    path: str
    method: str
    parameters: RequestParameters
    body: bytes | None
    content_type: str


@dataclass(frozen=True)
class Contract:
    """The description, and the same for questions that openapi-core does not ask."""

    description: Any
    checker: OpenAPI

    @classmethod
    def load(cls) -> "Contract":
        """Read the description; any host may serve it below `/api/v3`."""
        value = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
        value["servers"] = [{"url": BELOW}]
        return cls(value, OpenAPI.from_dict(value))

    def faults(self, verb: str, url: str, headers: Mapping[str, str], body: bytes) -> list[str]:
        """Return what of a request the description does not know or allow."""
        parts = urlsplit(url)
        asked = parse_qsl(parts.query, keep_blank_values=True)
        request = _Request(
            f"{parts.scheme}://{parts.netloc}",
            parts.path,
            verb.lower(),
            RequestParameters(query=ImmutableMultiDict(asked), header=Headers(dict(headers))),
            body or None,
            headers.get("Content-Type", "").partition(";")[0],
        )
        try:
            self.checker.validate_request(request)
        except OpenAPIError as error:
            return [f"{verb} {url}: {type(error).__name__}: {error} {error.__cause__ or ''}"]
        unknown = self._unknown(self._operation(verb.lower(), parts.path.removeprefix(BELOW)), asked, body)
        return [f"{verb} {url}: {name} is not in GitHub's description" for name in unknown]

    def _operation(self, verb: str, path: str) -> Any:
        """Return what the description says of a request that fits it."""
        words = path.strip("/").split("/")
        fitting = [template for template in self.description["paths"] if _fits(template.strip("/").split("/"), words)]
        return self.description["paths"][min(fitting, key=lambda template: template.count("{"))][verb]

    def _unknown(self, operation: Any, asked: list[tuple[str, str]], body: bytes) -> list[str]:
        """Return parameters and members of the body that nobody has described: GitHub would pass over them."""
        named = {self._resolved(one)["name"] for one in operation.get("parameters", ())}
        unknown = [name for name, _ in asked if name not in named]
        if not body:
            return unknown
        if "requestBody" not in operation:
            return [*unknown, "a body"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return unknown + [name for name in json.loads(body) if name not in schema.get("properties", {})]

    def _resolved(self, value: Any) -> Any:
        while "$ref" in value:
            _, _, section, name = value["$ref"].split("/", 3)
            value = self.description["components"][section][name]
        return value


def _fits(template: list[str], words: list[str]) -> bool:
    pairs = zip(template, words, strict=False)
    return len(template) == len(words) and all(said.startswith("{") or said == word for said, word in pairs)
