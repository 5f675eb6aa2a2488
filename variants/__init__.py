"""Built-in variants: each module is a plugin that an outsider could have written."""
