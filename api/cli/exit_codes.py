"""The exit codes of commands, for cron and scripts; docs/reference/commands.md lists them."""

DONE, FINDING, USAGE, UNAVAILABLE = 0, 1, 2, 3
# The codes of what a signal ended, as shells have them.
SIGNALLED = 128
INTERRUPTED = 130
