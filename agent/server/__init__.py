"""What a server adds to the graph: authentication, and ownership of its resources."""
