"""What runs and ran: the lock of a run, the process that serves jobs, records of jobs."""

__all__ = []
