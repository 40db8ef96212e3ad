"""Helper processes beside the service, and what starts and watches them."""
