"""The commands of `tringledger`, one module each."""
