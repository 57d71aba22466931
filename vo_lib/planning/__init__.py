"""The parts of `vo_lib.plan`: what the configuration means for each rule and survey."""

__all__ = []
