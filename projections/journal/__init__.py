"""The books in double entry, for hledger and beancount."""
