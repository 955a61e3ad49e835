from .alarms import Alarm, parse_alarm
from .arrivals import Arrivals
from .board import Board
from .commands import Caller, split_command
from .watching import Watch

__all__ = ["Alarm", "Arrivals", "Board", "Caller", "Watch", "parse_alarm", "split_command"]
