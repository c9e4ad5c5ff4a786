"""No privilege, milliseconds."""
