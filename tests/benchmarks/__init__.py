"""How fast the ledger is, always beside a yardstick in the same run: ``python -m tests.benchmarks`` prints the table.

A figure alone says more about the machine than about the program; the ratio of two figures that were measured in turns
says more about the program.
"""
