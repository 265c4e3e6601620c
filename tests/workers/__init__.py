"""The agent on LangGraph Server with PostgreSQL and Redis: many workers, one of them killed.

It runs in an environment of its own (the extra `workers`), because its server pins `langgraph-api`.
"""
