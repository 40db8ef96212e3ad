"""Events become read models, and read models become files: calls, CDRs, billing, voicemails, channels, exceptions."""
