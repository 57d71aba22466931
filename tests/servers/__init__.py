"""Local stand-ins for survey archives; they misbehave on demand."""
