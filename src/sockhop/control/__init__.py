"""What sockhop is: instances of the data plane, their scopes, life and counters."""
