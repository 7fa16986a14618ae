"""The pages about visits, people seen and enrolled, and rules."""
