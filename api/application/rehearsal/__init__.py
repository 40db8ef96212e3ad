"""A made-up TringMe: it places calls, calls the notify URL as untidily as platforms and networks do, and keeps its own books."""
