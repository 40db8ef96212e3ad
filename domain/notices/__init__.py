"""What TringMe sends: notifications, their statuses and their signatures."""
