"""Programs of ours, or of Java, that say on their standard output how far they are, line by line."""
import queue
import subprocess
import threading


class Talking:
    """A process; what it says comes out of `next()`."""

    def __init__(self, line, patience, **how):
        self.patience = patience
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, **how)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def next(self, seconds=None):
        """The next line; nothing when it ended, or said none for so long."""
        try:
            return self.lines.get(timeout=self.patience if seconds is None else seconds)
        except queue.Empty:
            return None

    def kill(self):
        self.process.kill()
        self.process.wait()
