"""Runs of the workflow: the lock of a run, the process that serves its jobs, and records of jobs."""

__all__ = []
