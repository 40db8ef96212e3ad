"""The subcommands of ``tringledger``, a module each: parse, call, print."""
