"""An issuer of JSON Web Tokens on loopback: it publishes its keys, and signs any token.

with JwtIssuer() as issuer:
    issuer.token(sub="alice")
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.loopback import LoopbackServer


class Key:
    """An RSA key with its name."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def published(self) -> dict[str, Any]:
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return key | {"kid": self.kid, "use": "sig", "alg": "RS256"}


class JwtIssuer:
    """Serves on a thread of its own. `keys` are those published now; `down` makes it fail.

    Without `discovery` only `/.well-known/jwks.json` is there. While `slow` is not set it answers
    nothing.
    """

    def __init__(self, *, discovery: bool = True) -> None:
        self.keys = [Key("first")]
        self.down = False
        self.slow = threading.Event()
        self.slow.set()
        self.discovery = discovery
        self.asked: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = issuer._answer(self.path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: object) -> None:
                """A test's output is not for requests."""

        self._server = LoopbackServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.slow.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def token(self, key: Key | None = None, **claims: Any) -> str:
        """A token for an hour, unless the claims say otherwise; a claim of `None` is left out."""
        key = key or self.keys[0]
        usual = {"iss": self.url, "sub": "alice", "exp": time.time() + 3600}
        given = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(given, key.private, algorithm="RS256", headers={"kid": key.kid})

    def _answer(self, path: str) -> tuple[int, Any]:
        self.asked.append(path)
        self.slow.wait(20)
        if self.down:
            return 500, {}
        if path == "/.well-known/openid-configuration" and self.discovery:
            return 200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == ("/keys" if self.discovery else "/.well-known/jwks.json"):
            return 200, {"keys": [key.published() for key in self.keys]}
        return 404, {}
