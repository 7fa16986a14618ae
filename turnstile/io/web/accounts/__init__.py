"""Accounts of the pages: invitations, passwords, codes, and who is signed in on which device."""
