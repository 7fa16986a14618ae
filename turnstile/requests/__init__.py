"""What people who are signed in may want of a site, what is answered, and which account may want it."""
