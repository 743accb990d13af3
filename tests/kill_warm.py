"""Imported by the process that is forked for the runs that are killed, and by nothing else."""

import kill_targets

kill_targets.warm_up()
