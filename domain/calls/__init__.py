"""From notices to calls: correlation, and a call as the fold of its stream."""
