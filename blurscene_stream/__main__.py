"""Run the command line as `python -m blurscene_stream`."""

from blurscene_stream.cli import main

if __name__ == "__main__":
    main()
