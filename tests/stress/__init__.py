"""Randomised stress: streams, churn and scale. Every byte is checked, and the counters must show that it hopped.

Sizes are those of CI. ``SOCKHOP_STRESS=N`` makes each run N times as long (8 and more: over 200,000 churned
connections), ``SOCKHOP_SEED=N`` draws other lives and sizes. A failure prints the command that repeats it.
"""
