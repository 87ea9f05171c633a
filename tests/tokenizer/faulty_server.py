"""A web server for tests that can be told to fail: in front of a folder, or of another server such as moto's."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

FAULTS = ("error", "cut", "flip", "slow")
Answer = tuple[int, dict[str, str], bytes]


class FaultyServer(ThreadingHTTPServer):
    """Answers GET and HEAD; ``faults`` maps the number of a GET of a .bin file (0, 1, ...) to what goes wrong."""

    daemon_threads = True

    def __init__(self, answer: Callable[[str, str, dict[str, str]], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.faults: Callable[[int], str | None] = lambda number: None
        self.fetched: list[str] = []  # path and range of each GET of a .bin file
        self._lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_fault(self, request: str) -> str | None:
        with self._lock:
            self.fetched.append(request)
            number = len(self.fetched) - 1
        return self.faults(number)


class _Handler(BaseHTTPRequestHandler):
    server: FaultyServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, headers, body = self.server.answer(self.command, self.path, dict(self.headers))
        fault = None
        if self.command == "GET" and self.path.endswith(".bin"):
            fault = self.server.next_fault(f"{self.path} {self.headers.get('Range')}")
        if fault == "error":
            status, headers, body = 503, {}, b""
        if fault == "flip":
            body = body[:9] + bytes([body[9] ^ 4]) + body[10:]
        if fault == "slow":
            time.sleep(0.2)
        self.send_response(status)
        headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        if fault == "cut":
            self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def of_folder(folder: Path, ranges: bool = True) -> Callable[[str, str, dict[str, str]], Answer]:
    """Answers with the files of a folder; without ``ranges`` always with all of a file, as some servers do."""

    def answer(command: str, path: str, headers: dict[str, str]) -> Answer:
        file = folder / path.lstrip("/")
        if not file.is_file():
            return 404, {}, b""
        data = file.read_bytes()
        if "Range" in headers and ranges:
            first, last = headers["Range"].removeprefix("bytes=").split("-")
            return 206, {}, data[int(first) : int(last) + 1 if last else None]
        return 200, {}, data

    return answer


def of_server(upstream: str) -> Callable[[str, str, dict[str, str]], Answer]:
    """Passes requests on, and their answers back."""

    def answer(command: str, path: str, headers: dict[str, str]) -> Answer:
        request = urllib.request.Request(upstream + path, method=command, headers=headers)
        try:
            with urllib.request.urlopen(request) as response:
                status, found, body = response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            status, found, body = error.code, error.headers, error.read()
        skipped = ("connection", "transfer-encoding", "date", "server", "content-length" if body else "")
        return status, {name: value for name, value in found.items() if name.lower() not in skipped}, body

    return answer


@contextmanager
def running(server: FaultyServer) -> Iterator[FaultyServer]:
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
