"""The request log: JSON lines on disk, readable while the server runs.

Only line offsets are kept in memory, so that a run of a million requests costs megabytes, not gigabytes.
"""
import array
import json
import os


class RequestLog:
    def __init__(self, path):
        self.path = str(path)
        self._open()

    def _open(self):
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        self._offsets = array.array("Q")
        self._end = 0

    def reset(self):
        """Start at number 1 again, in the same file."""
        os.close(self._fd)
        self._open()

    def add(self, entry):
        entry["n"] = len(self._offsets) + 1
        line = (json.dumps(entry, separators=(",", ":")) + "\n").encode()
        os.write(self._fd, line)
        self._offsets.append(self._end)
        self._end += len(line)

    def since(self, number):
        """Entries with a running number greater than `number`."""
        number = max(0, number)
        if number >= len(self._offsets):
            return []
        start = self._offsets[number]
        data = os.pread(self._fd, self._end - start, start)
        return [json.loads(line) for line in data.splitlines()]
