"""The first version of the take-home compared with the improved one: what changed, which claims turned, what it costs."""
