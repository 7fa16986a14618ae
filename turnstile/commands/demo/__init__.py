"""`turnstile demo`, its sample faces and its clip."""
