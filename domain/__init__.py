"""What happened on the telephone platform, and what it means: no web, no read models, no environment."""
