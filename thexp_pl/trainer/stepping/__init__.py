"""User-written backward and step, sent through Lightning."""
