"""A web server for tests that can be told to fail: in front of a folder, or of another server such as moto's."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import NamedTuple

FAULTS = ("error", "cut", "flip", "slow")
"""What goes wrong with what is read: 503, half of it, one bit of it, 0.2 seconds late."""
STORE_FAULTS = ("error", "internal", "closed", "lost", "cut", "slow")
"""What goes wrong with any request: also 500, no answer to what was not done, and none to what was done."""
OF_STATUS = {"error": (503, "SlowDown"), "internal": (500, "InternalError")}


class Request(NamedTuple):
    method: str
    path: str  # with its query
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def bin_files(request: Request) -> bool:
    """Whether tokens are read."""
    return request.method == "GET" and request.path.endswith(".bin")


class FaultyServer(ThreadingHTTPServer):
    """Counts the requests that ``counted`` picks; ``faults`` maps the number of one (0, 1, ...) to what goes wrong."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Request], Answer], counted: Callable[[Request], bool] = bin_files) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.counted = answer, counted
        self.faults: Callable[[int], str | None] = lambda number: None
        self.fetched: list[str] = []  # path and range of each counted request
        self.injected: Counter[tuple[str, str]] = Counter()  # method and fault
        self._lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_fault(self, request: Request) -> str | None:
        if not self.counted(request):
            return None
        with self._lock:
            fault = self.faults(len(self.fetched))
            self.fetched.append(f"{request.path} {request.headers.get('range')}")
            if fault:
                self.injected[request.method, fault] += 1
        return fault


class _Handler(BaseHTTPRequestHandler):
    """One request a connection, so that an answer which is cut off ends it; "Expect" is answered by the base class."""

    server: FaultyServer
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        self.close_connection = True
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self._body())
        fault = self.server.next_fault(request)
        if fault == "slow":
            time.sleep(0.2)
        if fault == "closed":
            return
        answer = _failed(fault) if fault in OF_STATUS else self.server.answer(request)
        if fault == "lost":
            return
        body = answer.body
        if fault == "flip":
            body = body[:9] + bytes([body[9] ^ 4]) + body[10:]
        self.send_response(answer.status)
        for name, value in ({"content-length": str(len(body))} | answer.headers | {"connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()
        if request.method != "HEAD":
            self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # what may follow the chunks, to an empty line
            pass
        return body

    def log_message(self, *_: object) -> None:
        pass


def _failed(fault: str) -> Answer:
    status, code = OF_STATUS[fault]
    message = "This fails on purpose. " * 12  # as long as those of S3: longer than some of what is asked for
    return Answer(status, {}, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())


def of_folder(folder: Path, ranges: bool = True) -> Callable[[Request], Answer]:
    """Answers with the files of a folder; without ``ranges`` always with all of a file, as some servers do."""

    def answer(request: Request) -> Answer:
        file = folder / request.path.lstrip("/")
        if not file.is_file():
            return Answer(404, {}, b"")
        data = file.read_bytes()
        if "range" in request.headers and ranges:
            first, last = request.headers["range"].removeprefix("bytes=").split("-")
            return Answer(206, {}, data[int(first) : int(last) + 1 if last else None])
        return Answer(200, {}, data)

    return answer


def of_server(upstream: str) -> Callable[[Request], Answer]:
    """Passes requests on, and their answers back."""
    skipped = ("connection", "expect", "transfer-encoding", "content-length")

    def answer(request: Request) -> Answer:
        connection = http.client.HTTPConnection(upstream.removeprefix("http://"), timeout=60)
        headers = {name: value for name, value in request.headers.items() if name not in skipped}
        headers["Content-Length"] = str(len(request.body))
        connection.request(request.method, request.path, request.body, headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        found = {name.lower(): value for name, value in response.getheaders() if name.lower() not in skipped[:-1]}
        return Answer(response.status, found, body)

    return answer


@contextmanager
def running(server: FaultyServer) -> Iterator[FaultyServer]:
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
