"""What operators do to many items at once: in steps, by a service or a command, none of them twice."""
