"""A second opinion on the stack: checkov over the HCL and the plan, parliament over every policy, and what the claims say to it."""
