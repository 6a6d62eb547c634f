"""The inside of an execution environment: loads a handler, then runs it for one event after another.

Started as a script by lambda_runtime, never imported. argv: the number of a socket, the code's folder, the layers' folder,
the handler, a JSON list of files that Lambda's user could not read. A line in is an event with its context, a line out its result.
"""
import json
import os
import queue
import socket
import sys
import threading
import time
import traceback


class Context:
    def __init__(self, about):
        self.function_name, self.function_version = os.environ["AWS_LAMBDA_FUNCTION_NAME"], os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.invoked_function_arn, self.memory_limit_in_mb = about["arn"], os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.aws_request_id = about["id"]
        self.log_group_name, self.log_stream_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"], os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity, self.client_context = None, about.get("client_context")
        self._deadline = time.monotonic() + about["timeout"]

    def get_remaining_time_in_millis(self):
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def failure(kind, message, trace=()):
    return {"errorMessage": message, "errorType": kind, "requestId": "", "stackTrace": list(trace)}


def load(task, handler, closed):
    """(function, None) or (None, error)."""
    module, dot, name = handler.rpartition(".")
    if not dot:
        return None, failure("Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)")
    path = module.replace(".", "/") + ".py"
    if path in closed:
        return None, failure("Runtime.ImportModuleError", f"Unable to import module '{module}': [Errno 13] Permission denied: '/var/task/{path}'")
    try:
        __import__(module.replace("/", "."))
        found = sys.modules[module.replace("/", ".")]
    except ImportError as error:
        return None, failure("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}")
    except SyntaxError as error:
        return None, failure("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}")
    except Exception as error:
        return None, failure(type(error).__name__, str(error), traceback.format_exc().splitlines())
    function = getattr(found, name, None)
    if function is None:
        return None, failure("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module}'")
    return function, None


def run(function, line):
    """(result as JSON text, is an error)."""
    about = json.loads(line)
    try:
        result = function(json.loads(about["event"]), Context(about))
    except Exception as error:
        print(f"[ERROR] {type(error).__name__}: {error}\n" + traceback.format_exc(), end="")
        trace = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
        return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__, "requestId": about["id"], "stackTrace": trace}), True
    try:
        return json.dumps(result), False
    except (TypeError, ValueError) as error:
        print(f"[ERROR] Runtime.MarshalError: Unable to marshal response: {error}")
        return json.dumps(failure("Runtime.MarshalError", f"Unable to marshal response: {error}")), True


def log_as_lambda_does():
    import logging
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t\t%(message)s", "%Y-%m-%dT%H:%M:%S"))
    logging.getLogger().addHandler(handler)


def main():
    number, task, layers, handler, closed = sys.argv[1:6]
    channel = socket.socket(fileno=int(number))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.argv[1:] = []
    sys.path[0:1] = [task, f"{layers}/python", f"{layers}/python/lib/{version}/site-packages"]
    events = queue.SimpleQueue()

    def listen():
        try:
            for line in channel.makefile("rb"):
                events.put(line)
        finally:   # the cloud has gone, whatever the handler is doing; with something unread, that is a reset and no end
            os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    log_as_lambda_does()
    function, error = load(task, handler, json.loads(closed))
    if error:
        print(f"[ERROR] {error['errorType']}: {error['errorMessage']}")
    channel.sendall(b"ready\n")
    while True:
        line = events.get()
        result, failed = (json.dumps(error), True) if error else run(function, line)
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(1, b"\0")   # the end of this event's log
        channel.sendall(json.dumps({"result": result, "failed": failed}).encode() + b"\n")


main()
