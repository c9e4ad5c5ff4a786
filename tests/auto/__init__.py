"""Auto mode: what is learned about a service, and what follows for its connections."""
