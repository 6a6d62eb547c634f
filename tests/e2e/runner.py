"""What a GitHub runner makes of a step's files and output, as strictly as it does.

After the source of actions/runner: FileCommandManager, ActionCommand, ActionCommandManager.
"""

import re
import string

COMMANDS = {
    "add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group",
    "internal-set-repo-path", "notice", "remove-matcher", "save-state", "set-env", "set-output",
    "stop-commands", "warning",
}
SUMMARY_MOST = 1024 * 1024


class Refused(Exception):
    """The runner would fail the step, or drop the file."""


def parse_file_command(text):
    """{name: value} of GITHUB_OUTPUT. Whichever of "=" and "<<" comes first decides."""
    found, at = {}, 0

    def line():
        nonlocal at
        end = text.find("\n", at)
        if end < 0:
            taken, ended, at = text[at:], False, len(text)
        else:
            taken, ended, at = text[at:end], True, end + 1
        return taken, ended

    while at < len(text):
        row, _ = line()
        if not row:
            continue
        equals, heredoc = row.find("="), row.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, value = row.split("=", 1)
        elif heredoc >= 0:
            name, delimiter = row.split("<<", 1)
            if not name or not delimiter:
                raise Refused(f"Invalid format '{row}'")
            value, first = "", True
            while True:
                if at >= len(text):
                    raise Refused(f"Matching delimiter not found '{delimiter}'")
                row, ended = line()
                if not ended:
                    raise Refused("a line of a value, or its delimiter, does not end")
                if row == delimiter:
                    break
                value += row if first else "\n" + row
                first = False
        else:
            raise Refused(f"Invalid format '{row}'")
        if not name:
            raise Refused("a value without a name")
        found[name] = value
    return found


def lines_of(text):
    """Lines as .NET reads them: they end in CR, LF, or both."""
    return re.split(r"\r\n|\r|\n", text)


def _unescape(text, is_property=False):
    codes = [("%0D", "\r"), ("%0A", "\n")] + [("%3A", ":"), ("%2C", ",")] * is_property
    for code, char in codes:
        text = text.replace(code, char)
    return text.replace("%25", "%")


def _modern(line):
    """::name key=value,...::data, after any blanks."""
    line = line.lstrip(string.whitespace)
    if not line.startswith("::"):
        return None
    end = line.find("::", 2)
    if end < 0:
        return None
    head, data = line[2:end], line[end + 2:]
    name, _, properties = head.partition(" ")
    pairs = dict(p.strip().split("=", 1) for p in properties.split(",") if "=" in p)
    return name, {k: _unescape(v, True) for k, v in pairs.items()}, _unescape(data)


def _legacy(line):
    """##[name key=value;...]data, anywhere in a line."""
    start = line.find("##[")
    end = line.find("]", start) if start >= 0 else -1
    if end < 0:
        return None
    name, _, properties = line[start + 3:end].partition(" ")
    pairs = dict(p.split("=", 1) for p in properties.split(";") if "=" in p)
    return name, pairs, line[end + 1:]


class Log:
    """A step's output after the runner has read it: commands taken, secrets masked."""

    def __init__(self, *streams):
        self.commands, self.shown, self.masks, self._stop = [], [], [], None
        for stream in streams:
            for line in lines_of(stream):
                self._take(line)

    def _take(self, line):
        for parsed in (_modern(line), _legacy(line)):
            if parsed is None:
                continue
            if self._stop is not None:
                if parsed[0] == self._stop:
                    self._stop = None
                    return
                continue
            if parsed[0].lower() not in COMMANDS:
                continue
            name = parsed[0].lower()
            self.commands.append((name, *parsed[1:]))
            if name == "add-mask":
                self.masks += [m for m in dict.fromkeys([parsed[2], *lines_of(parsed[2])]) if m]
                return
            if name == "stop-commands":
                self._stop = parsed[2]
                return
            line = parsed[2]
            break
        for mask in self.masks:
            line = line.replace(mask, "***")
        self.shown.append(line)

    def of(self, name):
        return [(properties, data) for n, properties, data in self.commands if n == name]

    @property
    def text(self):
        return "\n".join(self.shown)


def check_summary(data):
    if len(data) > SUMMARY_MOST:
        raise Refused(f"$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of "
                      f"1024k, got {len(data) // 1024}k")
    return data.decode("utf-8")
