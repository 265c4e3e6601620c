"""Why a server's process ended, in the words of its standard error."""

import pytest

from llm_compiler.mcp.stderr import reason_in

NODE = """throw new Error("TOKEN is not set")
^

Error: TOKEN is not set
    at f (index.js:1:20)
    at node:internal/process/execution:118:14

Node.js v20.20.2"""
PYTHON = """Traceback (most recent call last):
  File "server.py", line 3, in <module>
    Settings()
pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings
api_key
  Field required [type=missing, input_value={}, input_type=dict]
    For further information visit https://errors.pydantic.dev/2.14/v/missing"""
CLICK = """Usage: duck [OPTIONS]

Error: In-memory databases require the --read-write flag.
Options:
  - Add --read-write to allow writes
  - Use --db-path with a file path"""
NPM = """npm error code E404
npm error 404 Not Found - GET https://registry.example/no-such
npm error A complete log of this run can be found in: /root/debug-0.log"""


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (NODE, "Error: TOKEN is not set"),
        (
            PYTHON,
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings"
            " / api_key / Field required [type=missing, input_value={}, input_type=dict]",
        ),
        (
            CLICK,
            "Error: In-memory databases require the --read-write flag."
            " / Options: / - Add --read-write to allow writes",
        ),
        (
            NPM,
            "npm error code E404 / npm error 404 Not Found - GET https://registry.example/no-such"
            " / npm error A complete log of this run can be found in: /root/debug-0.log",
        ),
        ('    raise RuntimeError("no key")\nRuntimeError: no key', "RuntimeError: no key"),
        ("starting\nno key", "no key"),
        ("", ""),
    ],
)
def test_the_last_error_is_the_reason_or_else_the_last_line(written: str, reason: str) -> None:
    assert reason_in([line for line in written.splitlines() if line]) == reason
