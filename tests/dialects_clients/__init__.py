"""Requests of coding tools as they were recorded, answered over every dialect."""
