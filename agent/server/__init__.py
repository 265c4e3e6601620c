"""What a server adds around the graph: who may use it, and what belongs to whom."""
