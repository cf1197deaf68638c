"""Readers of the Record: `recorder` takes it off the call's path, `record_log` and `metrics` read it, `logs` writes."""
