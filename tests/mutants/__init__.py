"""Changes the code on purpose, one place at a time, and sees which changes no test notices: ``make mutants``."""
