"""Errors and texts without secrets in them.

A rule is a word to look for first, a pattern, and what takes its place. Each pattern takes linear
time on any text: what repeats is bounded, possessive, or cannot begin again inside itself.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from langchain_core.tools import ToolException

from llm_compiler.errors import LLMCompilerError
from llm_compiler.text import clean, shortened

MASK = "***"
_MAX_CHARS = 300
"""Of an error."""
_MAX_READ_CHARS = 20_000
"""Of an error that are looked at."""
_MIN_VALUE_CHARS = 8
"""Of a variable whose value is looked for."""


def one_line(error: BaseException) -> str:
    """An error as one short line without secrets, for an outcome or a person."""
    if isinstance(error, BaseExceptionGroup):  # its own text only counts what is in it
        more = len(error.exceptions) - 1
        first = one_line(error.exceptions[0])
        return shortened(f"{first} (and {more} more)" if more else first, _MAX_CHARS)
    whole = _words_of(error)
    # A lone surrogate would break the checkpoint that holds the outcome.
    text = " ".join(masked(clean(whole[:_MAX_READ_CHARS])).split())
    if len(whole) > _MAX_READ_CHARS:
        # Of a secret that was cut in two, the first half is not recognized.
        text = text.rpartition(" ")[0] or text
    if not isinstance(error, LLMCompilerError | ToolException):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    return shortened(text, _MAX_CHARS)


def _words_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # it is somebody else's
        return ""


def masked(text: str, values: Sequence[str] | None = None) -> str:
    """A text without what looks like a secret, and without the values of the environment's own.

    Who masks many texts passes those: `secret_values()`.
    """
    for value in secret_values() if values is None else values:
        text = text.replace(value, MASK)
    lowered = text.lower()
    for rule in _RULES:
        if not rule.words or any(word in lowered for word in rule.words):
            text = rule.pattern.sub(rule.instead, text)
    return text


_SECRET_NAME = re.compile(
    r"KEY|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|PASS$|_(?:PWD|PAT|DSN|AUTH|COOKIE|JWT)$",
    re.IGNORECASE,
)


def secret_values() -> list[str]:
    """The values of the environment's secret variables, the longest first, also as URLs have them.

    One may begin with another: the longer goes first, or its end would stay.
    """
    values = {
        value
        for name, value in os.environ.items()
        if len(value) >= _MIN_VALUE_CHARS and _SECRET_NAME.search(name)
    }
    values |= {quote(value, safe="") for value in values}
    return sorted(values, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class _Rule:
    words: tuple[str, ...]
    """In small letters. The pattern is tried where a text has one of them, or if there is none."""
    pattern: re.Pattern[str]
    instead: str | Callable[[re.Match[str]], str] = MASK


# ── what is no secret although it stands where one would ──────────────────────────────────────

_PROSE = frozenset(
    "a about access after all also always an and any are as ask at authentication authorization be "
    "because before between but by can cannot changed check choose credentials date do does empty "
    "enter error expired extra failed false field file for from given has have header here how if "
    "in incorrect input invalid is it its keep least length long longer lost manager many maximum "
    "may minimum missing more most must name needed needs never no none not null of often on one "
    "only or people please policy prompt protected remember required reset rules scheme security "
    "see set short should so some string strong text than that the their then there they this to "
    "token too true try two type undefined unknown unless use used user usually value wait was we "
    "weak what when where which who why will with without word wrong you your".split()
)
_CAMEL = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]|\d[A-Za-z]|[A-Za-z]\d")
_INNER = re.compile(r"\w[._~+=%$&*!]\w|=$")
_LONG_WORD = 17


def _is_word(value: str) -> bool:
    """Whether a value is a word of a sentence."""
    return value.strip(".,:;!?()[]").lower() in _PROSE


def _is_random(value: str) -> bool:
    """Whether a value looks like a token: digits among letters, marks, or longer than words are."""
    value = value.strip(".,:;!?()[]")
    return len(value) >= 4 and bool(
        len(value) >= _LONG_WORD or _CAMEL.search(value) or _INNER.search(value)
    )


# ── rules ─────────────────────────────────────────────────────────────────────────────────────

_TOKEN = (
    r"\b(?:"
    r"(?:sk|tvly|ls|pk|ghp|hf)[-_][\w-]{8,}"
    r"|(?:gh[opsur]|github_pat|rk|whsec|npm|gsk|r8|shp(?:at|ca|pa|ss)|dop_v1|hvs|lsv2_(?:pt|sk))"
    r"[_.][\w-]{16,}"
    r"|(?:gl(?:pat|dt|rt|soat|ptt|cbt)|pypi|nvapi|xai|pplx|dckr_pat)-[\w-]{16,}"
    r"|xox[a-z][-.][\w.-]{8,}|xapp-[\w-]{8,}"
    r"|(?:A3T[A-Z0-9]|A(?:KIA|SIA|BIA|CCA|GPA|IDA|ROA|IPA|NPA|NVA))[A-Z0-9]{16}\b"
    r"|AIza[\w-]{30,}|ya29\.[\w.-]{8,}|SG\.[\w-]{16,}\.[\w-]{16,})"
)
_PEM_NAME = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PEM = rf"-----BEGIN {_PEM_NAME}(?:[^-]++|-(?!----))*+(?:-----END {_PEM_NAME})?"
_JWT = r"(?<![\w-])eyJ[\w-]{6,}(?:\.[\w-]*){1,4}"
_WEBHOOK = (
    r"(?<=hooks\.slack\.com/services/)[\w/]+|(?<=/api/webhooks/)\d+/[\w-]+"
    r"|(?<=/bot)\d{6,12}:[\w-]{30,}"
)
# A port is no password.
_IN_ADDRESS = (
    r"(?<=://)(?:[^\s/@:]{0,128}:(?!\d{1,5}(?:[/?#]|$))[^\s\"'<>]{0,128}|[\w.~%+-]{16,128})(?=@)"
)
_WITHOUT_SCHEME = (
    r"(?<![\w.:/@-])(?!mailto:|sips?:)[\w.-]{1,64}:[^\s:@/\"']{1,128}"
    r"(?=@(?:tcp\(|unix\(|[\w.-]{1,128}:\d{2,5}\b))"
)
_PARAMETER = r"([?&;#](?:amp;)?)([\w.\[\]-]{1,64})=([^&\s'\"<>;#]+)"
_SECRET_PARAMETER = re.compile(
    r"key(?!word|board|note)|token|secret|passw|passphrase|pwd|auth(?!or)|signature|credential"
    r"|session_?id|jwt|(?<![a-z])sig$",
    re.IGNORECASE,
)
# `name: value`, `"name": "value"`, `('name', 'value')`, `b'name': b'value'`.
_MEANS = r"(?:\\?[\"']?\s{0,3}[:=]\s{0,3}(?:b(?=[\"']))?\\?[\"']?|[\"'],\s{0,3}b?[\"'])"
_FIELDS = (
    r"[\w-]{1,40}=(?:\"[^\"]*\"|[^\s,\"';]+)(?:,\s{0,2}[\w-]{1,40}=(?:\"[^\"]*\"|[^\s,\"']+))+"
)
_HEADER = (
    rf"\b((?:(?:proxy-)?authorization|x-(?:api|auth|access)-(?:key|token)){_MEANS})"
    r"((?:basic|bearer|digest|token|negotiate|ntlm|api-?key|aws4-hmac-sha256|oauth|hawk|bot)"
    rf"\s{{1,3}})?({_FIELDS}|[^\s\"',;<>}}\]]+)"
)
_BEARER = r"\b(bearer(?:\s{1,3}|%20|[:=]\s{0,3})[\"']?)([^\s\"',;<>}\])]+)"
_BASIC = r"\b(basic\s{1,3})([A-Za-z0-9+/_-]{6,}={0,2})"
_COOKIE = (
    rf"(\b(?:set-)?cookie2?{_MEANS})"
    r"([\w.$-]{1,80}=[^\s;\"']+(?:;\s{0,2}[\w.$-]{1,80}=[^\s;\"']*)*)"
)
_PASSWORD = r"passw(?:or)?d|passphrase|passcode|pwd|(?<=[_-])pass"
_PAIR = (
    rf"(?P<name>(?P<password>{_PASSWORD})"
    r"|secret(?:[_ -]?(?:access)?[_ -]?key)?|token"
    r"|(?:api|access|account|private|auth|signing|encryption|license|storage)[_ -]?key"
    r"|shared[_-]?access[_-]?(?:key|signature)|credentials?|session[_-]?id|jwt)(?![A-Za-z])"
    r"(?P<means>\\?[\"']?(?P<before>\s{0,3})(?P<sign>:=|=>|[:=])\s{0,3}(?:b(?=[\"']))?)"
    r"(?P<value>\"[^\"\n]{1,500}\"|'[^'\n]{1,500}'|\\\"[^\"\\]{1,500}\\\"|[^\s,;&\"'<>)}\]\\]+)"
)


def _parameter(found: re.Match[str]) -> str:
    if not _SECRET_PARAMETER.search(found[2]) or found[3].startswith(MASK):
        return found[0]
    return f"{found[1]}{found[2]}={MASK}"


def _header(found: re.Match[str]) -> str:
    return found[0] if _is_masked(found[3]) or _is_word(found[3]) else _kept(found, 1, 2)


def _bearer(found: re.Match[str]) -> str:
    return _kept(found, 1) if _is_random(found[2]) and not _is_masked(found[2]) else found[0]


def _basic(found: re.Match[str]) -> str:
    text = found[2].rstrip("=")
    try:
        named = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=False)
    except (binascii.Error, ValueError):
        return found[0]
    return _kept(found, 1) if b":" in named and named.isascii() else found[0]


def _pair(found: re.Match[str]) -> str:
    written = found["value"]
    value = written.strip("\\\"'")
    bare = value == written
    # `name=value` and `"name": …`, not "the token: a word".
    assigned = found["sign"] != ":" and not found["before"]
    tight = assigned or not bare or found["means"][0] in "\\\"'"
    if _is_masked(value) or value.lower() in ("none", "null", "true", "false", ""):
        return found[0]
    if found["password"]:
        is_folder = found["password"].lower() == "pwd" and value[0] in "/~."
        secret = not is_folder and (tight or not _is_word(value))
    else:
        secret = len(value) >= 4 if tight else len(value) >= 6 and _is_random(value)
    return found["name"] + found["means"] + written.replace(value, MASK) if secret else found[0]


def _is_masked(value: str) -> bool:
    """Whether a rule of ours or of LangSmith's has been there."""
    return value.startswith((MASK, "[SECRET"))


def _kept(found: re.Match[str], *groups: int) -> str:
    return "".join(found[group] or "" for group in groups) + MASK


def _rule(
    words: str, pattern: str, instead: str | Callable[[re.Match[str]], str] = MASK, flags: int = 0
) -> _Rule:
    return _Rule(tuple(words.split()), re.compile(pattern, flags), instead)


_ANY = re.IGNORECASE
_RULES = (
    _rule("private", _PEM),
    _rule("eyj", _JWT),
    _rule("", _TOKEN),
    _rule("/", _WEBHOOK),
    _rule("://", _IN_ADDRESS),
    _rule("@", _WITHOUT_SCHEME),
    _rule("=", _PARAMETER, _parameter),
    _rule("authorization x-a", _HEADER, _header, _ANY),
    _rule("bearer", _BEARER, _bearer, _ANY),
    _rule("basic", _BASIC, _basic, _ANY),
    _rule("cookie", _COOKIE, lambda found: _kept(found, 1), _ANY),
    _rule("pass pwd secret token key signature credential session jwt", _PAIR, _pair, _ANY),
)
