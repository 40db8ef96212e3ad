"""The log of events as the stores keep it: the contract, the addresses of stores, and two stores."""
