"""A crc-daemon whose deploys end as a test says, and a server that plays the hosts' APIs."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Stands in for crc-action: ends as the file "verdict" beside it says.
ACTION = '''#!/usr/bin/env python3
import json, pathlib, sys
said = json.loads((pathlib.Path(__file__).parent / "verdict").read_text())
said["head"] = sys.argv[sys.argv.index("--head") + 1]
print(json.dumps({"v": 1, "type": "result", **said}, separators=(",", ":")), flush=True)
sys.exit(said["exit"])
'''

DONE = {"verdict": "done", "changed": True, "uploaded": 3, "copied": 0, "deleted": 1, "bytes": 9,
        "invalidation_paths": 2, "exit": 0}
REFUSED = {"verdict": "failed", "error_code": "config", "error": "crc.yml:3:1: unknown key \"bukcet\"",
           "exit": 2}


def stand_in(folder):
    """(path of the program, function that says how deploys end from now on)."""
    folder.mkdir(parents=True, exist_ok=True)
    action = folder / "action"
    action.write_text(ACTION)
    action.chmod(0o755)

    def play(verdict):
        (folder / "verdict").write_text(json.dumps(verdict))

    play(DONE)
    return str(action), play


class Api:
    """Takes every POST and keeps it. `answers`: {part of a path: list of what to answer with first,
    200s after that}; "hang" answers nothing until the end."""

    def __init__(self):
        self.seen, self.answers, self.over = [], {}, threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api.take(self, body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, handler, body):
        answer = next((left.pop(0) for part, left in self.answers.items()
                       if part in handler.path and left), 201)
        self.seen.append({"path": handler.path, "headers": handler.headers, "body": body,
                          "answer": answer, "at": time.monotonic()})
        if answer == "hang":
            self.over.wait(120)
            handler.close_connection = True
            return
        with contextlib.suppress(OSError):
            handler.send_response(answer)
            if answer in (301, 302, 307):
                handler.send_header("Location", self.url + "/elsewhere")
            handler.send_header("Content-Length", "2")
            handler.end_headers()
            handler.wfile.write(b"{}")

    def at(self, part):
        """What came to paths with this in them, as (body as JSON, the whole)."""
        return [(json.loads(seen["body"]), seen) for seen in list(self.seen) if part in seen["path"]]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
