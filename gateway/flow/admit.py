"""Limits: one atomic step over everything the caller is held to."""

from gateway.core.outcome import Record
from gateway.core.ports import Admission, Lease


async def admit(record: Record, admission: Admission) -> Lease:
    """The lease to hold while the call runs. Raises a Refusal, which charges nothing."""
    return await admission.admit(record)
