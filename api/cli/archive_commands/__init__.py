"""The commands of ``tringledger archive``, each in a module of its own."""
