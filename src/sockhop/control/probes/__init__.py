"""What this kernel and machine allow, found out by trying, and what follows from it."""
