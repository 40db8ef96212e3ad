"""Archives: the events of closed months as Parquet files that outlive the store, and ledgers made anew from them."""
