"""`python -m mmdu_analysis.cli` is the `mmdu` command."""

from mmdu_analysis.cli.app import main

main()
