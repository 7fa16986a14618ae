"""Who works on which frame: jobs, credits, leases, and what each key may use."""
