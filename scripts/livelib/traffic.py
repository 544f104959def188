"""[`prepare`]: a capture and feeds to load a sensor with: large ones of this machine if they are named, else what the repository has."""
import importlib
import os
import pathlib
import sys

from . import frames as f
from . import same
from .sensor import ROOT


def generated_feed(folder):
    """The 1.46 million entries that scripts/bench.py makes, none of which any capture has."""
    if os.environ.get("GENERATED_FEED"):
        return pathlib.Path(os.environ["GENERATED_FEED"])
    sys.path.insert(0, str(ROOT / "scripts"))
    return importlib.import_module("bench").generated_feed(folder)


def prepare(folder, options, count=None, per_second=10_000):
    """The capture, its packets, and the feed that raises alerts in it."""
    feed, paths = same.fixtures(folder)
    if options.get("feed"):
        feed = pathlib.Path(options["feed"])
    source = options.get("capture")
    target = folder / "traffic.pcap"
    if source:
        return target, f.first(pathlib.Path(source), target, count or 10**9, per_second), feed
    sendable, _ = f.sendable(paths)
    # Large frames of a fixture or two would be all that is measured.
    sendable = [frame for frame in sendable if len(frame) <= 1600]
    f.write(target, sendable, per_second)
    return target, len(sendable), feed
