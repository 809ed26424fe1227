"""The first version of the take-home against the improved one: what changed, which claims turned, what it costs."""
