"""Commands of the browser's side: `turnstile web` and who may sign in."""
