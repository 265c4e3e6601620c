"""Public benchmarks' own solutions, run as plans: can the language say them, and are they right?

A converter makes a plan of each gold sequence, over tools made from the benchmark's own schemas.
`running` runs it through `build_graph` with a scripted planner, and each tool must receive exactly
the gold arguments. The data are not here: `python -m tests.bench.gold BENCHMARK --data FOLDER`.
"""
