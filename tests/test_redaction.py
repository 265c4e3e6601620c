"""How errors read: one line, cut, and without secrets."""

import pytest
from langchain_core.tools import ToolException

from llm_compiler.errors import ToolError
from llm_compiler.redaction import masked, one_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a\n  b\tc"), "ValueError: a b c"),
        (ValueError(), "ValueError"),
        (KeyError("name"), "KeyError: 'name'"),
        (ToolException("no such city"), "no such city"),
        (ToolError("no such city"), "no such city"),
        (ValueError("lone \ud800"), "ValueError: lone �"),
        (ValueError("key sk-abcdefgh12345 refused"), "ValueError: key *** refused"),
        (ValueError("tvly-dev-abcdefgh12345"), "ValueError: ***"),
        (ValueError("Authorization: Bearer abc.def"), "ValueError: Authorization: Bearer ***"),
        (ValueError("http://ann:pass@host/x"), "ValueError: http://***@host/x"),
        (
            ValueError("for url 'https://host/x?q=K2&api_key=abc123&n=1'"),
            "ValueError: for url 'https://host/x?q=K2&api_key=***&n=1'",
        ),
        (
            ValueError("https://host/?access_token=abc123"),
            "ValueError: https://host/?access_token=***",
        ),
    ],
    ids=repr,
)
def test_error_reads_as_one_line_without_secrets(error: Exception, line: str) -> None:
    assert one_line(error) == line


def test_values_of_secret_variables_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEATHER_API_KEY", "plain words here")
    monkeypatch.setenv("db_password", "hunter22")
    monkeypatch.setenv("SHORT_KEY", "no")
    assert one_line(ToolError("plain words here, hunter22, no")) == "***, ***, no"


def test_long_error_is_cut() -> None:
    assert one_line(ToolError("x" * 1000)) == "x" * 299 + "…"


def test_masked_text_keeps_its_lines() -> None:
    assert masked("the key\n  sk-abcdefgh12345\nis right") == "the key\n  ***\nis right"
