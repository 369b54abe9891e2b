"""One request of a browser to a page: the form that it sent, the page that answers, and the calls that are made for it."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from botocore import parsers
from botocore.awsrequest import HeadersDict
from botocore.serialize import create_serializer
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sekisho.environment import Environment
from sekisho.language import say
from sekisho.proof.words import Turn
from sekisho.sandbox import signin
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.front import OPERATIONS, EmbeddedAws
from sekisho.sandbox.protocol import read_call, service_model
from sekisho.sandbox.signature import Arrived
from sekisho.sandbox.store import Session
from sekisho.web.browser import Browser, Browsers, Refusal
from sekisho.web.languages import NAMES
from sekisho.web.networks import Networks

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


@dataclass
class Console:
    """What all visits share."""

    aws: EmbeddedAws
    environment: Environment | None
    networks: Networks
    browsers: Browsers


class Visit:
    """``browser`` may be exchanged for another while it is answered (sign-in, sign-out): its cookie is set by ``app.py``."""

    def __init__(self, console: Console, request: Request, browser: Browser, form: dict[str, str]) -> None:
        self.console = console
        self.request = request
        self.browser = browser
        self.form = form

    @property
    def aws(self) -> EmbeddedAws:
        return self.console.aws

    @property
    def now(self) -> float:
        return self.aws.store.clock.now().timestamp()

    @cached_property
    def user_agent(self) -> str:
        return self.request.headers.get("user-agent", "")[:256]

    @property
    def client(self) -> signin.Client:
        return signin.Client(self.browser.origin, self.user_agent)

    @property
    def session(self) -> Session:
        """The session that calls are made with: the role's, or the sign-in's own."""
        acting = self.browser.acting
        assert acting is not None
        return acting

    @property
    def own_session(self) -> Session:
        """The sign-in's own session."""
        assert self.browser.session is not None
        return self.browser.session

    # Answers --------------------------------------------------------------------------------------------------------

    def say(self, key: str, /, **values: Any) -> str:
        return say(key, values, self.browser.language)

    def turned(self, turns: Sequence[Turn]) -> str:
        """What would have to be otherwise, as a sentence begins."""
        text = self.say("turn.and").join(turn.text(self.browser.language) for turn in turns)
        return text[:1].upper() + text[1:] if self.browser.language == "en" else text

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        browser = self.browser
        notice, browser.notice = browser.notice, None
        store = self.aws.store
        account = store.accounts.get(self.session.account) if browser.acting else None
        text = _TEMPLATES.get_template(template).render(
            t=self.say, turned=self.turned, browser=browser, csrf=browser.csrf, language=browser.language, languages=NAMES, account=account,
            place=self.console.networks.name(browser.origin), places=self.console.networks.places, here=self.request.url.path,
            notice=self.say(notice[0], **notice[1]) if notice else "", **values,
        )  # fmt: skip
        return HTMLResponse(text, status)

    @staticmethod
    def go(path: str) -> Response:
        """See another page: what was posted isn't posted again."""
        return RedirectResponse(path, 303)

    def refused(self, fault: AwsFault) -> Refusal:
        """Keep a refusal, so that the page can link to why."""
        return self.kept(fault.message, fault.code, fault.decision, fault.event_id)

    def kept(self, message: str, code: str, decision: Any, event_id: str | None) -> Refusal:
        refusal = Refusal(event_id or secrets.token_hex(16), message, code, decision, self.aws.store.estate)
        self.browser.remember(refusal)
        return refusal

    # Calls ----------------------------------------------------------------------------------------------------------

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """A call with the acting session: decided, recorded and durable as any client's. Raises AwsFault."""
        if service in OPERATIONS:
            return signin.console_call(self.aws, self.client, self.session, service, operation, params)
        return self.send(service, operation, params)

    def send(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """The same by way of what would go over the wire, so for every service there is. ``service``: its signing name. Raises AwsFault."""
        model = service_model(service)
        assert model is not None
        found = model.operation_model(operation)
        sent = create_serializer(model.protocol).serialize_to_request(params, found)
        path, _, fixed = sent["url_path"].partition("?")
        asked = sent["query_string"]
        query = "&".join(part for part in (fixed, asked if isinstance(asked, str) else urlencode(asked, doseq=True)) if part)
        body = urlencode(sent["body"]) if isinstance(sent["body"], dict) else sent["body"]
        headers = tuple((k.lower(), str(v)) for k, v in sent["headers"].items()) + (("user-agent", self.user_agent),)
        arrived = Arrived(sent["method"], path, query, headers, body if isinstance(body, bytes) else body.encode())
        caller = signin.caller_of(self.aws, self.client, self.session)
        try:
            answer = self.aws.carry_out(arrived, caller, read_call(arrived, service, path), path, str(uuid.uuid4()))
        finally:
            self.aws.store.commit()
        parser = parsers.create_parser(model.protocol)
        parsed: dict[str, Any] = parser.parse(
            {"status_code": answer.status, "headers": HeadersDict(dict(answer.headers)), "body": answer.body}, found.output_shape
        )
        if answer.status >= 400:
            error = parsed.get("Error", {})
            raise AwsFault(str(error.get("Code", answer.status)), str(error.get("Message", "")), answer.status)
        parsed.pop("ResponseMetadata", None)
        return parsed

    def ask(self, service: str, operation: str, **params: Any) -> Outcome:
        """A call for a part of a page: its result, or the refusal in its place."""
        try:
            return Outcome(self.call(service, operation, **params), None)
        except AwsFault as fault:
            return Outcome({}, self.refused(fault))


@dataclass(frozen=True)
class Outcome:
    """What came of a call."""

    result: dict[str, Any]
    refusal: Refusal | None


def as_json(value: Any) -> str:
    """A result as text; times in ISO 8601, bytes as text where they are text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_shown)


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
