"""A loopback server that takes traces as LangSmith does, and keeps the runs in them.

with TraceServer() as traces:
    ...  # with LANGSMITH_TRACING, LANGSMITH_ENDPOINT=traces.url and LANGSMITH_API_KEY
    runs = traces.ended("LLM Compiler")
"""

import json
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from tests.support.loopback import LoopbackServer

Run = dict[str, Any]
_WAIT_SECONDS = 30.0
# One JSON document a batch, rather than compressed parts.
_INFO = {
    "batch_ingest_config": {
        "use_multipart_endpoint": False,
        "size_limit": 100,
        "size_limit_bytes": 20_000_000,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 1,
        "scale_down_nempty_trigger": 4,
    }
}


class TraceServer:
    """Serves on a thread of its own. `sent` is all that came, as it came."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.sent = ""
        self._changed = threading.Condition()
        traces = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply(_INFO)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                if self.path == "/runs/batch":
                    traces._take(body)
                self._reply({})

            def _reply(self, body: Any) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: object) -> None:
                """A test's output is not for requests."""

        self._server = LoopbackServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def trace_of(self, run_id: str) -> list[Run]:
        """All runs of a root run's trace, in order of their start, when it and they have ended.

        Raises:
            AssertionError: not within 30 seconds.
        """
        with self._changed:
            whole = self._changed.wait_for(lambda: self._whole(run_id), _WAIT_SECONDS)
            assert whole, f"no whole trace of {run_id}: {self.sent}"
            found = self._of(run_id)
        return sorted(found, key=lambda run: str(run["dotted_order"]))

    def _of(self, run_id: str) -> list[Run]:
        return [run for run in self.runs.values() if run.get("trace_id") == run_id]

    def _whole(self, run_id: str) -> bool:
        root = self.runs.get(run_id, {})
        return bool(root.get("end_time")) and all(run.get("end_time") for run in self._of(run_id))

    def _take(self, body: str) -> None:
        batch = json.loads(body)
        with self._changed:
            self.sent += body
            for run in [*batch.get("post", ()), *batch.get("patch", ())]:
                known = self.runs.setdefault(str(run["id"]), {})
                known.update({key: value for key, value in run.items() if value is not None})
            self._changed.notify_all()
