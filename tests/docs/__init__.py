"""The documents: every command of the walkthrough is run, and what else can be checked is."""
