"""The C of a kernel tree: parsed, as graphs of calls, and in the model's words."""
