"""Where a simulated fault's time goes: the record of a run as data, what two runs differ in, a timeline."""
