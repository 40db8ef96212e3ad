"""The commands of ``tringledger proof``, each in a module of its name."""
