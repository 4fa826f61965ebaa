"""Downloading: one body over HTTP, whole, going on where an earlier attempt or process stopped.

What is refused: a body shorter or longer than announced, a part that doesn't fit the part before it, and any status but
200 (or 206 to a resumed request).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from staging.errors import FetchError, from_os_error
from staging.fetchers.base import FetchContext, Fetched, Unchanged
from staging.fetchers.http_answers import Answer, Body, failed, suggested_name
from staging.identifiers import Identifier
from staging.plan import Kind
from staging.retries import Patience
from staging.streams import Sink

OK: Final = 200
PARTIAL: Final = 206
NOT_MODIFIED: Final = 304
RANGE_NOT_SATISFIABLE: Final = 416

_RENEWING: Final = 64 << 10
"""Bytes that an attempt must have added for keeps to count as a step forward."""

Ask: TypeAlias = Callable[[Mapping[str, str]], AbstractContextManager[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """What is known of the version that the bytes at hand belong to. ``length`` is the whole body's, in bytes."""

    identifier: str
    etag: str = ""
    last_modified: str = ""
    length: int | None = None

    @property
    def condition(self) -> str:
        """The strong validator for ``If-Range``; empty when there is none, and nothing can be resumed."""
        return self.etag or self.last_modified


class Download:
    """One body on its way to a file, over any number of attempts.

    ``ask`` puts the question: it is given the headers that say what is here already.
    """

    def __init__(
        self, ask: Ask, identifier: Identifier, context: FetchContext, known: Mapping[str, str], patience: Patience
    ) -> None:
        self._ask = ask
        self._identifier = identifier
        self._context = context
        self._known = known
        self._patience = patience
        self._body = context.partial / "body"
        self._state = context.partial / "state.json"
        self._mark = _Mark(identifier=str(identifier))
        try:
            context.partial.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, "write") from error
        self._mark = self._remembered() or self._mark
        self._cut_body()
        self._sink = Sink(self._body, append=True)
        self._kept = self._sink.size

    def _cut_body(self) -> None:
        """Drop what can't be continued. Of a body that is all there the last byte: its source is asked once more."""
        try:
            size = self._body.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            return
        length = self._mark.length or 0
        if not self._mark.condition or size > length:
            self._body.unlink()
        elif size == length:
            os.truncate(self._body, size - 1)

    def close(self) -> None:
        """Close the file, and drop what could not be continued."""
        self._sink.close()
        if not self._mark.condition or not self._sink.size:
            self._body.unlink(missing_ok=True)
            self._state.unlink(missing_ok=True)

    def run(self, into: Path) -> Fetched | Unchanged:
        """Have the body at ``into``.

        Raises:
            FetchError: it can't be had whole.
        """
        while True:
            try:
                result = self._attempt()
            except FetchError as error:
                if self._mark.condition and self._sink.size - self._kept >= _RENEWING:
                    self._patience.renew()
                    self._kept = self._sink.size
                retry_after = error.fields.get("retry_after")
                self._patience.pause(error, at_least=retry_after if isinstance(retry_after, float) else 0.0)
                continue
            if isinstance(result, Fetched):
                self._hand_over(into)
            return result

    def _attempt(self) -> Fetched | Unchanged:
        headers = self._question()
        with self._ask(headers) as answer:
            if answer.status == NOT_MODIFIED and "Range" not in headers and len(headers) > 0:
                return Unchanged()
            if answer.status == RANGE_NOT_SATISFIABLE and "Range" in headers:
                self._start_over()
                raise FetchError(f"{answer.url} has no such part of the file any more", transient=True)
            if answer.status == PARTIAL and "Range" in headers:
                self._check_part(answer)
            elif answer.status == OK:
                self._start_over()
                self._remember(answer)
            else:
                raise failed(answer)
            self._receive(answer)
            return Fetched(
                kind=Kind.FILE,
                fingerprint=self._sink.fingerprint,
                size=self._sink.size,
                hops=answer.hops,
                validators=answer.validators,
                name=suggested_name(answer),
                media_type=answer.media_type,
            )

    def _question(self) -> dict[str, str]:
        """The headers that say what we have."""
        if self._sink.size and not self._mark.condition:
            self._start_over()
        if self._sink.size:
            return {"Range": f"bytes={self._sink.size}-", "If-Range": self._mark.condition}
        names = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
        return {names[key]: value for key, value in self._known.items() if key in names}

    def _check_part(self, answer: Answer) -> None:
        """Refuse a part that isn't the rest of what is here. Next time the whole is asked for."""
        start, total = answer.part or (-1, -1)
        same = answer.etag == self._mark.etag if self._mark.etag else answer.last_modified == self._mark.last_modified
        if start == self._sink.size and same and total == self._mark.length and not answer.encoding:
            return
        self._start_over()
        raise FetchError(
            f"{answer.url} gave a part that does not fit what came before"
            + ("" if same else ": the content has changed in the meantime"),
            where=str(self._identifier),
            transient=True,
        )

    def _receive(self, answer: Answer) -> None:
        context = self._context
        body = Body(answer, context, self._identifier, resumed=self._sink.size > 0)
        total = self._mark.length if not answer.encoding else None
        for chunk in body:
            self._sink.write(chunk)
            context.progress.advance(context.key, self._sink.size, total)
        if answer.encoding and not body.is_own_encoding:
            return
        if answer.length is None and not answer.chunked:
            context.progress.say(f"{answer.url} did not say how long the file is, so it can't be known to be whole")
        if self._mark.length is not None and self._sink.size != self._mark.length:
            raise FetchError(
                f"{answer.url} gave {self._sink.size} of {self._mark.length} bytes",
                where=str(self._identifier),
                transient=True,
            )

    def _hand_over(self, into: Path) -> None:
        self._sink.close()
        try:
            os.replace(self._body, into)  # noqa: PTH105 - says what it does
            self._state.unlink(missing_ok=True)
        except OSError as error:
            raise from_os_error(error, "write") from error

    def _start_over(self) -> None:
        self._sink.restart()
        self._kept = 0
        self._mark = _Mark(identifier=str(self._identifier))
        self._state.unlink(missing_ok=True)

    def _remember(self, answer: Answer) -> None:
        """Keep what it takes to resume, before the first byte; nothing where the body comes encoded."""
        if answer.encoding:
            return
        self._mark = _Mark(
            identifier=str(self._identifier),
            etag=answer.validators.get("etag", ""),
            last_modified=answer.validators.get("last-modified", ""),
            length=answer.length,
        )
        if self._mark.condition and self._mark.length is not None:
            self._state.write_text(json.dumps(asdict(self._mark), sort_keys=True), encoding="utf-8")
        else:
            self._mark = replace(self._mark, etag="", last_modified="")

    def _remembered(self) -> _Mark | None:
        """What an earlier process left, if it is of this identifier and can be understood."""
        try:
            record = json.loads(self._state.read_text(encoding="utf-8"))
            mark = _Mark(**record)
        except (OSError, ValueError, TypeError):
            return None
        texts = (mark.identifier, mark.etag, mark.last_modified)
        sound = all(isinstance(text, str) for text in texts) and isinstance(mark.length, int)
        return mark if sound and mark.identifier == str(self._identifier) else None
