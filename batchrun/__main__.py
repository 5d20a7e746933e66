"""Run the command line as `python -m batchrun`."""

from batchrun.cli.main import main

if __name__ == "__main__":
    main()
