"""Long campaigns against the promises: `python -m tests.campaigns NAME`; pytest runs short ones."""
