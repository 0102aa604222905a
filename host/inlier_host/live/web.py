"""The live view as a page on localhost, which the server keeps up to date
(server-sent events).
"""

import errno
import json
import threading
from http.server import BaseHTTPRequestHandler
from importlib import resources

from inlier_export.errors import BadInput
from inlier_host.report.bundle import vega

from .bounded import LOOPBACK, Bounded
from .state import Live

KEEP_ALIVE_S = 10  # a comment line, by which a browser that went away is noticed


class Web:
    """Serves on LOOPBACK until the block ends. Raises BadInput where the port is
    taken.
    """

    def __init__(self, live: Live, port: int):
        self._live = live
        self._told = threading.Condition()
        self._text = json.dumps(live.snapshot())
        self._version = 0
        try:
            self._server = Bounded((LOOPBACK, port), _handler(self))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise BadInput(
                    f"--web: no permission for port {port}: choose one from 1024 on with --port"
                ) from None
            if error.errno != errno.EADDRINUSE:
                raise
            raise BadInput(
                f"--web: port {port} is taken, perhaps by another live view: close that or "
                f"choose another with --port"
            ) from None
        self.script = vega().encode()
        self.url = f"http://{LOOPBACK}:{self._server.server_address[1]}/"

    def update(self) -> None:
        with self._told:
            self._text = json.dumps(self._live.snapshot())
            self._version += 1
            self._told.notify_all()

    def next(self, seen: int) -> tuple[int, str | None]:
        """The state that is newer than version `seen`, waited for; None after
        KEEP_ALIVE_S without one.
        """
        with self._told:
            new = self._told.wait_for(lambda: self._version > seen, KEEP_ALIVE_S)
            return self._version, self._text if new else None

    def __enter__(self) -> "Web":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Only under its own name: a page of another site must not read this
            # by pointing its name at 127.0.0.1.
            if self.headers.get("Host", "").partition(":")[0] not in (LOOPBACK, "localhost"):
                self.send_error(403)
            elif self.path == "/":
                page = resources.files(__package__) / "page.html"
                self._send("text/html; charset=utf-8", page.read_bytes())
            elif self.path == "/vega.js":
                self._send("text/javascript; charset=utf-8", web.script)
            elif self.path == "/events":
                self._events()
            elif self.path == "/favicon.ico":
                self.send_response(204)
                self.end_headers()
            else:
                self.send_error(404)

        def _send(self, kind: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def _events(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            seen = -1
            while True:
                seen, text = web.next(seen)
                self.wfile.write(f"data: {text}\n\n".encode() if text else b":\n\n")

        def log_message(self, *args: object) -> None:
            pass

    return Handler
