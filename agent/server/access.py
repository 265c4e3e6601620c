"""One environment variable says who may use the server.

    LLM_COMPILER_AUTH=file:PATH                    holders of a token in a file    (token_file.py)
    LLM_COMPILER_AUTH=jwt:ISSUER[?audience=NAME]   holders of an issuer's token    (issuer.py)
    LLM_COMPILER_AUTH=open                         everyone, without authentication

If it is not set, `langgraph dev` is open, as its users expect, and any other server refuses to
start, so that no server is open by mistake.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from langgraph_api.auth.noop import UnauthenticatedUser
from langgraph_sdk import Auth
from starlette.exceptions import HTTPException

from llm_compiler.errors import SetupError
from llm_compiler.server.assistants import check_settings
from llm_compiler.server.issuer import Issuer, IssuerAddress
from llm_compiler.server.ownership import own, own_namespace
from llm_compiler.server.token_file import TokenFile
from llm_compiler.server.verifier import IssuerUnreachableError, TokenRefusedError, Verifier

VARIABLE: Final = "LLM_COMPILER_AUTH"
_REMEDY: Final = f"set {VARIABLE} to file:PATH, jwt:https://ISSUER or open"


def build_auth(environment: Mapping[str, str]) -> Auth:
    """The server's `Auth`, from its environment. Raises `SetupError` if the setting is invalid."""
    setting = environment.get(VARIABLE, "").strip()
    if not setting and environment.get("LANGSMITH_LANGGRAPH_API_VARIANT") != "local_dev":
        raise SetupError(f"{VARIABLE} is not set, and this is not `langgraph dev`; {_REMEDY}")
    return _open() if setting in ("", "open") else _closed(_verifier(setting))


def _verifier(setting: str) -> Verifier:
    kind, _, rest = setting.partition(":")
    match kind:
        case "file" if rest:
            return TokenFile.read(Path(rest))
        case "jwt" if rest:
            return Issuer(IssuerAddress.parse(rest))
    # The value is not quoted: it may be a token, set here by mistake.
    raise SetupError(f"the value of {VARIABLE} is invalid; {_REMEDY}")


def _open() -> Auth:
    auth = Auth()

    @auth.authenticate
    async def anyone() -> UnauthenticatedUser:
        # The server's own anonymous user: with it, the server behaves as if there were no `auth`.
        return UnauthenticatedUser()

    auth.on.assistants(actions=["create", "update"])(check_settings)
    return auth


def _closed(verifier: Verifier) -> Auth:
    auth = Auth()

    @auth.authenticate
    async def owner(headers: dict[bytes, bytes]) -> Auth.types.MinimalUserDict:
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Auth.exceptions.HTTPException(
                detail="no bearer token; send the header `Authorization: Bearer TOKEN`"
            )
        try:
            return {"identity": await verifier.owner(token.strip())}
        except TokenRefusedError as error:
            raise Auth.exceptions.HTTPException(detail=str(error)) from None
        except IssuerUnreachableError as error:
            raise HTTPException(503, str(error)) from error

    @auth.on.assistants(actions=["create", "update"])
    async def checked(ctx: Auth.types.AuthContext, value: Any) -> dict[str, Any]:
        await check_settings(ctx, value)
        return await own(ctx, value)

    # `own` applies to everything without a rule of its own; the store has no metadata to filter by.
    auth.on(own)
    auth.on.store(own_namespace)
    return auth
