"""What may be on the bus, and who may say it: messages, roles, reasons, and which JPEG is taken."""
