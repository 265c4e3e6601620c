"""What is masked in errors, logs and traces: secrets by their form, and no prose."""

import re

import pytest

from llm_compiler.errors import ToolError
from llm_compiler.observability.langsmith import _mask
from llm_compiler.redaction import masked, one_line
from tests.support.cost import grows_linearly

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_def"
PEM = "-----BEGIN {0}PRIVATE KEY-----\nMIIE+abc/\nx-y==\n-----END {0}PRIVATE KEY-----"
MASKED = {
    # Addresses with a password, with and without a user.
    "redis://:pw@host:6379/0": "redis://***@host:6379/0",
    "rediss://default:p@ss:w@host": "rediss://***@host",
    "postgresql+asyncpg://u:a/b+c=@h:5432/db?x=1": "postgresql+asyncpg://***@h:5432/db?x=1",
    "mongodb+srv://ann:p%40ss@c.example/x": "mongodb+srv://***@c.example/x",
    "amqp://guest:@host": "amqp://***@host",
    "https://x-access-token:abc@git.example/a.git": "https://***@git.example/a.git",
    "https://0123456789abcdef@o1.example/1": "https://***@o1.example/1",
    "ann:pw@tcp(db:3306)/x": "***@tcp(db:3306)/x",
    "dial ann:pw@db.example:3306 failed": "dial ***@db.example:3306 failed",
    # Headers.
    "authorization: bearer abc.def": "authorization: bearer ***",
    "Authorization: Basic YWxhZGRpbjpvcGVu": "Authorization: Basic ***",
    "AUTHORIZATION=token abcdef": "AUTHORIZATION=token ***",
    "Proxy-Authorization: Negotiate YIIabc==": "Proxy-Authorization: Negotiate ***",
    "{'authorization': 'Bearer abcdefgh', 'x': 1}": "{'authorization': 'Bearer ***', 'x': 1}",
    "[(b'Authorization', b'Basic Zm9vOmI=')]": "[(b'Authorization', b'Basic ***')]",
    'Authorization: Digest username="bob", response="66f"': "Authorization: Digest ***",
    "sent bearer abc123def456": "sent bearer ***",
    "BEARER abc123def456 was sent": "BEARER *** was sent",
    "basic dXNlcjpwYXNz": "basic ***",
    "Cookie: sid=abc123; theme=dark": "Cookie: ***",
    "set-cookie: session=zzz; Path=/; HttpOnly": "set-cookie: ***; HttpOnly",
    '{"cookie": "sid=abc"}': '{"cookie": "***"}',
    # Names with a value.
    "password=hunter2": "password=***",
    "passwd: hunter2": "passwd: ***",
    "Password: swordfish": "Password: ***",
    "pwd = s3cret": "pwd = ***",
    "DB_PASS=x1 DB_HOST=y": "DB_PASS=*** DB_HOST=y",
    '{"password": "my pass word", "a": 1}': '{"password": "***", "a": 1}',
    r'"{\"password\": \"x y\"}"': r'"{\"password\": \"***\"}"',
    "Server=x;Uid=sa;Password=p4ss;Db=y": "Server=x;Uid=sa;Password=***;Db=y",
    "AccountName=a;AccountKey=ab+/==;Suffix=c": "AccountName=a;AccountKey=***;Suffix=c",
    "aws_secret_access_key = wJalrXUtnF/K7MDENG": "aws_secret_access_key = ***",
    "client_secret='abcd'": "client_secret='***'",
    "session_id: 9f86d081884c7d65": "session_id: ***",
    "https://h/x?sig=abc&n=1#access_token=bcd": "https://h/x?sig=***&n=1#access_token=***",
    "https://h/x?X-Amz-Signature=b12&page=3": "https://h/x?X-Amz-Signature=***&page=3",
    # Tokens that are known by their form.
    JWT: "***",
    f"refused {JWT} it": "refused *** it",
    PEM.format("RSA "): "***",
    f"a {PEM.format('')} b": "a *** b",
    "-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNz": "***",
    "AKIAIOSFODNN7EXAMPLE": "***",
    "ghp_abcdefghijklmnop1234567890abcdef1234": "***",
    "gho_abcdefghijklmnop1234567890abcdef1234": "***",
    "github_pat_11ABCDEFG0abcdefghij": "***",
    "glpat-abcdefghijklmnop1234": "***",
    "xoxb-123456789012-abcdefghijkl": "***",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv": "***",
    "https://hooks.slack.com/services/T00/B00/Xx": "https://hooks.slack.com/services/***",
    "https://t.example/bot123456789:AAEabcdefghijklmnopqrstuvwxyz012345/x": "https://t.example/bot***/x",
}


@pytest.mark.parametrize("text", MASKED)
def test_secrets_are_masked_in_errors(text: str) -> None:
    assert masked(text) == MASKED[text]
    assert one_line(ToolError(text)) == " ".join(MASKED[text].split())


@pytest.mark.parametrize("text", MASKED)
def test_secrets_are_masked_in_traces(text: str) -> None:
    """LangSmith's rules come first there, and mask in words of their own."""
    pattern = re.escape(MASKED[text]).replace(re.escape("***"), "(.+)")
    found = re.fullmatch(pattern, text, re.DOTALL)
    assert found is not None
    traced = _mask(text)
    for secret in found.groups():
        assert secret not in traced


@pytest.mark.parametrize(
    "name", ["DB_PASS", "MYSQL_PWD", "SSHPASS", "PGPASSWORD", "GIT_CREDENTIALS", "SENTRY_DSN"]
)
def test_values_of_variables_are_hidden(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "plain words here")
    assert one_line(ToolError("it is plain words here")) == "it is ***"


def test_the_folder_that_the_program_runs_in_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD", "/home/ann/project")
    monkeypatch.setenv("OLDPWD", "/home/ann/another")
    text = "/home/ann/project and /home/ann/another"
    assert masked(text) == text


def test_of_two_values_that_begin_alike_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "correct-horse")
    monkeypatch.setenv("B_KEY", "correct-horse-battery")
    assert masked("correct-horse-battery, correct-horse") == "***, ***"


def test_a_value_is_hidden_as_an_address_spells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "pass word/1")
    assert masked("no such place: pass%20word%2F1") == "no such place: ***"


PROSE = """\
The bearer of bad news has a basic idea, and the Bearer of Dragons a secret.
Bearer authentication is needed, and bearer certificates and/or bonds are fine.
Basic arithmetic, basic JavaScript knowledge, Basic English: all of it is basic.
A password: it must be long. There are many kinds of password: weak, strong or lost.
The password is wrong, the token too; tokens: 123456, max_tokens=50, pass=3, fail=2.
Unexpected token: foo; unexpected token = in JSON; Authorization: required for all.
The secret: keep it simple. The key: salt. key=value pairs, and primary key = 5.
cookie: a small cake; session: the third; the treasure of the sierra at 10:30.
See http://host:8080/a@b and https://en.example/wiki/Talk:Foo@bar, ssh://git@git.example/x.
Write to mailto:ann@mail.example, or ann@mail.example; the ratio is 3:4@home.
https://h.example/?keyword=mountain&author=ann&design=x and pwd=/home/ann/project.
SELECT name FROM t WHERE id = 5; {"name": "K2", "height": 8611, "key": "a"}
"""


@pytest.mark.parametrize("line", PROSE.splitlines())
def test_prose_is_not_masked(line: str) -> None:
    assert masked(line) == line
    assert _mask(line) == line


def test_half_of_a_secret_that_was_cut_is_not_shown() -> None:
    half = "-----BEGIN PRIVATE KEY-----" + "a" * 19_950 + "----- password=hunter2 and more"
    shown = one_line(ToolError(half))
    assert shown == "***-----"
    assert len(one_line(ToolError("word " * 100_000))) == 300


PIECES = r"""key ?key ? &a= a 1. :// x:// ://a:b/ x://a:b eyJ eyJaaaaaa. - sk- SG. = jwt
-----BEGIN_PRIVATE_KEY----- -----BEGIN_ SG.aaaaaaaaaaaaaaaa authorization:_ authorization:a=b,
authorization:digest_a=" bearer_ basic_ cookie:a=b; cookie: password password= password="
password='_ token_=_ secret_ a:b@ a@ @ /bot123456 _ a: x. pwd:a_ ;_a=b \"token\":\" AKIA xoxb- [
é ya29. token_ github_pat_ hooks.slack.com/services/ secret.a-b. 'token',_'""".split()


@pytest.mark.slow
@pytest.mark.parametrize("piece", PIECES)
def test_masking_takes_linear_time(piece: str) -> None:
    piece = piece.replace("_", " ")
    texts = {size: (piece * size)[:size] for size in (2_000, 20_000)}
    assert grows_linearly(lambda size: masked(texts[size]), 2_000, 20_000)


def test_a_trace_of_many_texts_is_left_off_and_says_so() -> None:
    traced = _mask({"many": [f"text {number}" for number in range(100_000)], "behind": "x" * 99})
    assert traced["many"][:2] == ["text 0", "text 1"]
    assert len(traced["many"]) < 3_000
    assert traced["many"][-1].startswith("… left out of the trace: 9")
    assert str(traced).count("x") < 99 + 2 * len(traced["many"])
