"""Reads the event files of this folder with TensorBoard's own reader and writes what it saw to read.json.

    python read_events.py            needs `pip install tensorboard`

The event files are written by the test EventFiles.AreTheCommittedOnes (with NNC_BLESS=1).
"""

import json
import math
import pathlib

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto import event_pb2

folder = pathlib.Path(__file__).parent
files = sorted(folder.glob("events.out.tfevents.*"))



def number(value):
    """JSON has no NaN."""
    return value if math.isfinite(value) else str(value)


events = []
for path in files:
    for raw in RawEventFileLoader(str(path)).Load():
        event = event_pb2.Event.FromString(raw)
        seen = {"file": path.name, "wall_time": event.wall_time, "step": event.step}
        if event.HasField("file_version"):
            seen["file_version"] = event.file_version
        if event.HasField("session_log"):
            seen["session_log"] = event_pb2.SessionLog.SessionStatus.Name(event.session_log.status)
        if event.HasField("summary"):
            seen["scalars"] = {value.tag: number(value.simple_value) for value in event.summary.value}
        events.append(seen)

accumulator = event_accumulator.EventAccumulator(str(folder))
accumulator.Reload()
scalars = {
    tag: [[event.step, event.wall_time, number(event.value)] for event in accumulator.Scalars(tag)]
    for tag in sorted(accumulator.Tags()["scalars"])
}
(folder / "read.json").write_text(json.dumps({"events": events, "scalars": scalars}, indent=1) + "\n")
