"""The `auth` of langgraph.json, from the server's environment; access.py has the rules."""

import os

from llm_compiler.server.access import build_auth

auth = build_auth(os.environ)
