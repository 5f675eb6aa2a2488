"""The Python interface: what the command line does, as functions that give pandas frames.

`spfvar` itself exports all of it, and loads a module of these when something of it is asked for.
"""
