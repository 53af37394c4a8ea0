"""A server that speaks the OpenAI protocol and says what a test tells it to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = dict[str, Any] | bytes | int
"""A message of the model, raw bytes, or an HTTP status."""


class LanguageModel:
    """Replies in turn; the last one again and again. `asked` are the requests as they came."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.drip_s = 0.0
        """Pause after each byte of the answer."""

    def reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def tool_results(self) -> list[dict[str, Any]]:
        """What the tools said in the last request."""
        return [json.loads(m["content"]) for m in self.asked[-1]["messages"] if m["role"] == "tool"]


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def calls(name: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": f"call-{name}", "type": "function", "function": function}]}


@contextmanager
def language_model() -> Iterator[tuple[LanguageModel, str]]:
    """The model and its base address."""
    model = LanguageModel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            model.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            model.headers.append({name.lower(): value for name, value in self.headers.items()})
            reply = model.reply()
            if isinstance(reply, int):
                self._send(reply, json.dumps({"error": {"message": f"wrong key {self.headers['authorization']}"}}).encode())
            elif isinstance(reply, bytes):
                self._send(200, reply)
            else:
                choice = {"index": 0, "message": reply, "finish_reason": "tool_calls" if reply.get("tool_calls") else "stop"}
                usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
                whole = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
                self._send(200, json.dumps(whole).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            try:
                for begin in range(len(body)) if model.drip_s else ():
                    self.wfile.write(body[begin : begin + 1])
                    self.wfile.flush()
                    time.sleep(model.drip_s)
                if not model.drip_s:
                    self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield model, f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
