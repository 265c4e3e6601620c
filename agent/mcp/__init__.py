"""Tools of MCP servers, offered in addition to the graph's own.

servers.json ─read─► config.py ─► servers.py ─► session.py   one session per server and loop
                                      └─► tools.py           names, hints, results
"""

from llm_compiler.mcp.servers import with_mcp

__all__ = ["with_mcp"]
