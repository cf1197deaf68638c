"""What the gateway promises, and takes longer to try than a test may."""
