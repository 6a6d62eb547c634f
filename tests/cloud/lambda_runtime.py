"""Execution environments: child processes that run the handlers, kept warm as Lambda keeps them.

A child belongs to one code and configuration. It ends when those change, when it was idle longest among too many, when
the cloud ends (it is killed by its id; and it sees the socket close, should the cloud be killed itself).
"""
import asyncio
import base64
import json
import os
import shutil
import signal
import sys
import time
import uuid
from pathlib import Path

from .clock import iso_date
from .errors import AwsError
from .lambda_code import unpack

CHILD = Path(__file__).with_name("lambda_child.py")
IDLE_MOST = 6
ANSWER_MOST = 6291556
INIT_S = 30          # loading the code is no part of the function's own timeout, and slow on a busy machine
KEYS_S = 6 * 3600
_LINE_MOST = 64 << 20


class Result:
    __slots__ = ("payload", "error", "log")

    def __init__(self, payload, error, log):
        self.payload, self.error, self.log = payload, error, log


class Child:
    def __init__(self, key, arn):
        self.key, self.arn = key, arn
        self.stream = ""   # its log stream in CloudWatch
        self.process = self.reader = self.writer = None
        self.log, self.marked, self.expires, self.retired = bytearray(), asyncio.Event(), 0, False
        self._drain = None

    async def start(self, arguments, env, cwd):
        import socket
        ours, theirs = socket.socketpair()
        try:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, str(CHILD), str(theirs.fileno()), *arguments, env=env, cwd=cwd, pass_fds=[theirs.fileno()], start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        finally:
            theirs.close()
        self.reader, self.writer = await asyncio.open_connection(sock=ours, limit=_LINE_MOST)
        self._drain = asyncio.get_running_loop().create_task(self._read_log())
        try:
            await asyncio.wait_for(self.reader.readline(), INIT_S)
        except asyncio.TimeoutError:
            self.kill()   # the first event finds it ended

    async def _read_log(self):
        while data := await self.process.stdout.read(65536):
            self.log += data.replace(b"\0", b"")
            if b"\0" in data:
                self.marked.set()
        self.marked.set()

    async def run(self, line):
        """The child's answer, or None if it ended without one; its log is complete then."""
        self.marked.clear()
        self.writer.write(line)
        try:
            answer = await self.reader.readline()
        except ConnectionError:
            answer = b""
        if answer:
            await self.marked.wait()
            return json.loads(answer)
        await self.process.wait()
        await self._drain
        return None

    def take_log(self):
        text = self.log.decode("utf-8", "replace")
        self.log.clear()
        return text

    def kill(self):
        if self.process is not None and self.process.returncode is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)   # a group of its own: what the handler started goes with it
            except ProcessLookupError:
                pass
        if self.writer is not None:
            self.writer.close()


class Runtime:
    def __init__(self, directory, functions, credentials, clock):
        self.folder, self.functions, self.credentials, self.clock = Path(directory) / "functions", functions, credentials, clock
        self.endpoint = ""
        self.logs = {}          # function name: text
        self.starts = 0
        self._idle, self._children, self._active, self._code = [], set(), {}, {}
        self._loop, self._background = None, set()
        functions.on_change = self._changed
        functions.invoke_from_thread = self._from_thread

    def _changed(self, fn):
        """May be called by moto's threads."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._retire, self.functions.arn(fn.region, fn.function_name))

    def _retire(self, arn):
        for child in [c for c in self._children if c.arn == arn]:
            child.retired = True
            if child in self._idle:
                self._end(child)

    def _end(self, child):
        child.kill()
        self._children.discard(child)
        if child in self._idle:
            self._idle.remove(child)

    async def close(self):
        ending = [c for c in self._children if c.process is not None]
        for child in list(self._children):
            self._end(child)
        for child in ending:
            await child.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _from_thread(self, fn, event):
        """For moto's own callers, which wait in a thread: (payload, failed, log)."""
        data = event if isinstance(event, str) else json.dumps(event if event is not None else {})
        done = asyncio.run_coroutine_threadsafe(self.invoke(fn, data.encode()), self._loop).result()
        return done.payload.decode(), done.error, done.log

    def in_background(self, work):
        task = self._loop.create_task(work) if self._loop else asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task):
        self._background.discard(task)
        if not task.cancelled():
            task.exception()

    # Invoking

    async def invoke(self, fn, event, client_context=None, arn=None):
        """Run the function, or the version, on the bytes of an event."""
        self.started()
        plan = self.functions.running(fn)
        reserved = self.functions.latest(fn.region, fn.function_name).reserved_concurrency
        active = self._active.get(plan.arn, 0)
        if reserved is not None and active >= int(reserved):
            raise AwsError(429, "TooManyRequestsException", "Rate Exceeded.", {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"})
        if not (plan.runtime or "").startswith("python3"):
            raise AwsError(501, "NotImplemented", f"The local cloud runs no {plan.runtime}")
        self._active[plan.arn] = active + 1
        try:
            return await self._run(plan, event, client_context, arn or fn.function_arn)
        finally:
            self._active[plan.arn] -= 1

    def started(self):
        """The loop that children belong to; also for callers from threads."""
        self._loop = self._loop or asyncio.get_running_loop()

    async def _run(self, plan, event, client_context, arn):
        identifier = str(uuid.uuid4())
        child = await self._child(plan) or await self._start(plan)
        about = {"id": identifier, "arn": arn, "timeout": plan.timeout, "event": event.decode("utf-8", "replace"), "client_context": client_context}
        try:
            answer = await asyncio.wait_for(child.run(json.dumps(about).encode() + b"\n"), plan.timeout)
        except asyncio.TimeoutError:
            child.kill()
            await child.process.wait()
            await child._drain
            self._end(child)
            payload = {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {identifier} Error: Task timed out after {plan.timeout:.2f} seconds"}
            text = child.take_log() + f"{iso_date(self.clock.now())} {identifier} Task timed out after {plan.timeout:.2f} seconds\n"
            return self._done(plan, child, identifier, json.dumps(payload).encode(), True, text)
        except BaseException:
            self._end(child)
            raise
        text = child.take_log()
        if answer is None:
            code = child.process.returncode
            self._end(child)
            why = f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name.lower()[3:]}"
            payload = {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {identifier} Error: Runtime exited with error: {why}"}
            return self._done(plan, child, identifier, json.dumps(payload).encode(), True, text + payload["errorMessage"] + "\n")
        self._rest(child)
        payload, failed = answer["result"].encode(), answer["failed"]
        if len(payload) > ANSWER_MOST:
            payload, failed = json.dumps({"errorMessage": f"Response payload size exceeded maximum allowed payload size ({ANSWER_MOST} bytes).",
                                          "errorType": "Function.ResponseSizeTooLarge"}).encode(), True
        return self._done(plan, child, identifier, payload, failed, text)

    def _done(self, plan, child, identifier, payload, failed, text):
        if text and not text.endswith("\n"):
            text += "\n"
        text = f"START RequestId: {identifier} Version: {plan.version}\n{text}END RequestId: {identifier}\n"
        self.logs[plan.name] = (self.logs.get(plan.name, "") + text)[-(1 << 20):]
        self.functions.log(plan, child.stream, text)
        return Result(payload, failed, text)

    async def _child(self, plan):
        """An idle child that fits, or None."""
        for child in [c for c in self._idle if c.key == plan.key]:
            self._idle.remove(child)
            if child.process.returncode is None and self.clock.now() < child.expires:
                return child
            self._end(child)
        return None

    def _rest(self, child):
        if child.retired:
            self._end(child)
            return
        self._idle.append(child)
        while len(self._idle) > IDLE_MOST:
            self._end(self._idle[0])

    async def _start(self, plan):
        task, closed = await self._unpacked(plan.code, plan.sha256)
        layers = await self._layers(plan)
        child = Child(plan.key, plan.arn)
        child.expires = self.clock.now() + KEYS_S / 2
        child.stream = time.strftime("%Y/%m/%d/", time.gmtime(self.clock.now())) + f"[{plan.version}]{uuid.uuid4().hex}"
        self._children.add(child)
        self.starts += 1
        await child.start([str(task), str(layers), plan.handler or "", json.dumps(closed)], self._environment(plan, task, child.stream), str(task))
        return child

    async def _unpacked(self, data, digest):
        """(folder, names nobody else may read) of a zip, extracted once."""
        if digest not in self._code:
            folder = self.folder / base64.b64decode(digest).hex()[:24]
            folder.mkdir(parents=True, exist_ok=True)
            loop = asyncio.get_running_loop()
            self._code[digest] = asyncio.ensure_future(loop.run_in_executor(None, lambda: (folder, unpack(data, folder))))
        return await asyncio.shield(self._code[digest])

    async def _layers(self, plan):
        """One folder with all layers, the later over the earlier, as /opt has them."""
        key = ("layers", plan.layers)
        if key not in self._code:
            folder = self.folder / f"opt-{uuid.uuid5(uuid.NAMESPACE_URL, ' '.join(plan.layers)).hex}"
            folder.mkdir(parents=True, exist_ok=True)
            backend = self.functions.backend(plan.region)
            for arn in plan.layers:
                unpack(backend.layers_versions_by_arn(arn).code_bytes, folder)
            self._code[key] = folder
        return self._code[key]

    def _environment(self, plan, task, stream):
        keys = self.credentials.issue(plan.role or f"arn:aws:iam::{self.credentials.account}:role/none", plan.name[:64], KEYS_S)
        return {
            **{k: os.environ[k] for k in ("PATH", "PYTHONPATH") if k in os.environ}, "LANG": "en_US.UTF-8", "TZ": ":UTC", "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true", "LAMBDA_TASK_ROOT": str(task), "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "AWS_LAMBDA_FUNCTION_NAME": plan.name, "AWS_LAMBDA_FUNCTION_VERSION": plan.version, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(plan.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{plan.name}", "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_EXECUTION_ENV": f"AWS_Lambda_{plan.runtime}", "_HANDLER": plan.handler or "",
            **plan.environment,
            "AWS_REGION": plan.region, "AWS_DEFAULT_REGION": plan.region, "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret, "AWS_SESSION_TOKEN": keys.token,
        }
