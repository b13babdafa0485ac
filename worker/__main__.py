"""``python -m worker``: the command ``mailroster`` by another name."""

from worker.cli import main

if __name__ == "__main__":
    main()
