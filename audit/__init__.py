"""A second opinion on the stack: checkov on HCL and plan, parliament on every policy, compared with the claims."""
