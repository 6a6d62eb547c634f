"""All stacks and what is under way with them. Everything here runs in CloudFormation's one thread."""
import asyncio
from concurrent.futures import ThreadPoolExecutor

from . import cfn_kinds_code, cfn_kinds_data, cfn_kinds_edge  # noqa: F401  they register their kinds
from .cfn_api import Api
from .cfn_inner import Aws, Inner
from .cfn_operations import Pace
from .cfn_protocol import answer, arguments, invalid, model
from .cfn_script import Script
from .errors import AwsError
from .moto_bridge import ACCOUNT

POLLS = ("DescribeStacks", "DescribeStackEvents", "DescribeChangeSet")


class Engine:
    """The state: live stacks by region and name, every stack by id, operations under way."""

    def __init__(self, cloud, dispatch):
        self.cloud, self.clock, self.account = cloud, cloud.clock, ACCOUNT
        self.pace, self.script, self.inner = Pace(), Script(self), Inner(dispatch)
        self.live, self.every, self.sets_pending = {}, {}, []
        self._aws = {}

    def aws(self, region):
        if region not in self._aws:
            self._aws[region] = Aws(self.inner, region, self.account, self.cloud)
        return self._aws[region]

    def start(self, operation):
        operation.stack.operation = operation
        return operation

    def forget(self, stack):
        """A deleted stack has no name any more."""
        if self.live.get((stack.region, stack.name)) is stack:
            del self.live[stack.region, stack.name]

    def active(self):
        return bool(self.sets_pending) or any(s.operation is not None for s in self.live.values())

    def settle(self):
        """Do what is due."""
        now = self.clock.now()
        self.sets_pending = [s for s in self.sets_pending if not s.advance(now)]
        for stack in list(self.live.values()):
            while stack.operation is not None:
                operation = stack.operation
                operation.advance(now)
                if stack.operation is operation:
                    break

    def poll(self, stack):
        """Somebody looked at a stack."""
        if stack is not None and stack.operation is not None:
            stack.operation.phase.seen += 1

    # Exports

    def exporter(self, name):
        return next((s for s in self.live.values() if any(o.get("ExportName") == name for o in s.outputs.values())), None)

    def exported(self, name):
        owner = self.exporter(name)
        if owner is None:
            raise invalid(f"No export named {name} found.")
        return next(o["OutputValue"] for o in owner.outputs.values() if o.get("ExportName") == name)


class CloudFormation:
    """The service as the server sees it."""

    def __init__(self, cloud):
        self._cloud, self._thread = cloud, ThreadPoolExecutor(1, "cloudformation")
        self._loop, self._front = None, None
        self.engine = Engine(cloud, self._inner)
        self.api = Api(self.engine)

    def attach(self, dispatch):
        """`dispatch(request)` is the coroutine that answers a request which needs no signature."""
        self._front = dispatch

    def _inner(self, request):
        return asyncio.run_coroutine_threadsafe(self._front(request), self._loop).result(60)

    async def _run(self, function, *args):
        self._loop = asyncio.get_running_loop()
        return await self._loop.run_in_executor(self._thread, function, *args)

    async def settle(self):
        """What is due happens before anything else is answered."""
        if self.engine.active():
            await self._run(self.engine.settle)

    async def control(self, body):
        return await self._run(self.engine.script.control, body)

    async def handle(self, form, region, request_id):
        return await self._run(self._answer, form, region, request_id)

    def _answer(self, form, region, request_id):
        name = form.get("Action", "")
        function = getattr(self.api, name, None) if name[:1].isupper() else None
        if function is None:
            known = name in model().operation_names
            raise AwsError(501 if known else 400, "NotImplemented" if known else "InvalidAction",
                           f"The local cloud does not implement {name}" if known else f"Could not find operation {name} for version 2010-05-15")
        form = {n: v for n, v in form.items() if n not in ("Action", "Version")}
        values = function(arguments(name, form), region)
        return answer(name, values, request_id)
