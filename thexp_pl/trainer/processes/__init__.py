"""The processes of one run: who begins it, how they start, copy and fail together."""
