"""Progress of a command on standard error if it takes longer than two seconds: a bar on a terminal, else a line every few seconds."""
import shutil
import sys
import time

SILENT, BAR_EVERY, LINE_EVERY = 2.0, 0.1, 10.0  # seconds
BAR = 30


def duration(seconds):
    seconds = round(seconds)
    hours = f"{seconds // 3600}:" if seconds >= 3600 else ""
    return f"{hours}{seconds // 60 % 60:0{2 if hours else 1}}:{seconds % 60:02}"


class Progress:
    """Progress through `all` things: with Progress("drawing", 30, "pictures") as progress: progress.step()"""

    def __init__(self, doing, count, things):
        self.doing, self.all, self.things = doing, count, things
        self.done, self.begun, self.bar = 0, time.monotonic(), False
        self.next = self.begun + SILENT
        self.terminal = sys.stderr.isatty()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.clear()

    def clear(self):
        if self.bar:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        self.bar = False

    def text(self, now):
        left = (now - self.begun) * (self.all / self.done - 1) if self.done else 0
        return f"{self.doing}: {self.done} of {self.all} {self.things}" + (f"  {duration(left)} left" if self.done else "")

    def step(self):
        """One more is done."""
        self.done += 1
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + (BAR_EVERY if self.terminal else LINE_EVERY)
        text = self.text(now)
        self.clear()
        if self.terminal:
            room = shutil.get_terminal_size().columns - 1
            length = min(BAR, room - len(text) - 3)
            full = length * self.done // max(1, self.all)
            print((f"[{'#' * full}{'.' * (length - full)}] {text}" if length > 9 else text)[:room], end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)
        self.bar = self.terminal

    def say(self, line):
        """Print a line that is not overwritten."""
        self.clear()
        print(line, file=sys.stderr, flush=True)
