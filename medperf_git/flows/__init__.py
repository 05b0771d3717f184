"""What people do: one module for each story; ports are passed in."""
