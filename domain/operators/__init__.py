"""What operators do: corrections, tariffs, closings, adjustments."""
