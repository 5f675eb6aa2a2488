"""The vocabulary of protocols: objects, registers, primitives and control of a strategy's text."""
