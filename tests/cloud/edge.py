"""The edge: a cache that forgets nothing until an invalidation covers it, except errors, which age.

Freshness headers are ignored on purpose (only no-store, no-cache and private are obeyed): a page that would have
expired anyway proves nothing about an invalidation.
"""
import re

from . import edge_headers, xmlio
from .cloudfront_paths import cache_path, viewer_path
from .distribution import keyed_query
from .http11 import Response
from .lambda_edge import is_function
from .origin import Answer, bucket_of_domain

_UNCACHED = re.compile(r"\b(no-store|no-cache|private)\b", re.I)
_IGNORED_WHEN_COMPARING = {"last-modified", "etag", "date"}


class Entry:
    __slots__ = ("answer", "at", "expires", "names", "path", "query", "key", "computed")

    def __init__(self, answer, at, expires, names, path, query, key=None):
        self.answer, self.at, self.expires = answer, at, expires
        self.names, self.path, self.query = names, path, query
        self.key = names if key is None else key
        self.computed = key is not None   # by a function: nobody can say whether it would answer the same now


class Edge:
    def __init__(self, cloudfront, origins, functions, clock):
        self.cloudfront, self.origins, self.functions, self.clock = cloudfront, origins, functions, clock
        self.caches = {}
        self.evictions = []
        self._pending = []
        cloudfront.on_invalidation = self._accept

    # Serving

    async def serve(self, request):
        """The response to a viewer, and its X-Cache word."""
        distribution = self._distribution_of(request)
        if distribution is None or not distribution.enabled:
            return Response(403, [("Content-Type", "text/plain")], b"The request could not be satisfied: no such distribution\n"), "Error from cloudfront"
        behavior = distribution.behavior_for(cache_path(request.path))
        if request.method not in behavior.methods:
            return Response(403, [("Content-Type", "text/plain")], b"This distribution is not configured to allow the HTTP request method\n"), "Error from cloudfront"
        if is_function(distribution.origins[behavior.origin]):
            entry, hit = await self._from_function(request, distribution, behavior)
        elif request.method in ("GET", "HEAD"):
            entry, hit = self.lookup(distribution, request.path, request.query)
        else:
            return Response(501, [], b""), "Error from cloudfront"
        word = "Hit from cloudfront" if hit else "Miss from cloudfront"
        if entry.answer.status >= 400 and not hit:
            word = "Error from cloudfront"
        response = self._viewer_response(request, entry, hit, word)
        policy = self.cloudfront.policies.get("ResponseHeadersPolicy", xmlio.text(behavior.element, "ResponseHeadersPolicyId") or "")
        if policy is not None:
            response.headers = edge_headers.apply(policy.config, request, response.headers)
        return response, word

    async def _from_function(self, request, distribution, behavior):
        """(entry, was it cached) of a Function URL's answer."""
        self.settle()
        keyed = keyed_query(behavior, request.query)
        names = self._names(distribution, behavior, request.path, keyed)
        key = (names, self.functions.key_of(request, behavior))
        cache, now = self.caches.setdefault(distribution.id, {}), self.clock.now()
        entry = cache.get(key) if request.method == "GET" else None
        if entry is not None and not self._ran_out(entry):
            return entry, True
        response = await self.functions.fetch(request, distribution, behavior, distribution.origins[behavior.origin])
        answer, ttl = self._with_error_page(distribution, Answer(response.status, response.headers, response.body))
        entry = Entry(answer, now, None if ttl is None else now + ttl, names, request.path, keyed, key)
        if request.method == "GET" and behavior.cached and not _uncached(answer):
            cache[key] = entry
        return entry, False

    def _viewer_response(self, request, entry, hit, word):
        answer = entry.answer
        headers = [*answer.headers, ("X-Cache", word), ("Via", "1.1 local.cloudfront.net (CloudFront)"), ("X-Amz-Cf-Pop", "LOC50-C1")]
        if hit:
            headers.append(("Age", str(max(0, int(self.clock.now() - entry.at)))))
        etag = dict(answer.headers).get("ETag")
        if answer.status == 200 and etag and etag in request.headers.get("if-none-match", ""):
            return Response(304, headers)
        return Response(answer.status, headers, answer.body)

    def _distribution_of(self, request):
        every = self.cloudfront.distributions
        wanted = request.headers.get("x-cloud-distribution")
        host = request.headers.get("host", "").rsplit(":", 1)[0].lower()
        if wanted is None and host.endswith((".cloudfront.localhost", ".cloudfront.net")):
            wanted = host.split(".", 1)[0].upper()
        if wanted is not None:
            return every.get(wanted)
        return next(iter(every.values())) if len(every) == 1 else None

    def lookup(self, distribution, path, query=""):
        """(entry, was it cached). Makes and keeps the entry on a miss."""
        self.settle()
        behavior = distribution.behavior_for(cache_path(path))
        keyed = keyed_query(behavior, query)
        names = self._names(distribution, behavior, path, keyed)
        cache = self.caches.setdefault(distribution.id, {})
        entry, now = cache.get(names), self.clock.now()
        if entry is not None and (entry.expires is None or now < entry.expires):
            return entry, True
        answer, ttl = self._compute(distribution, path)
        entry = Entry(answer, now, None if ttl is None else now + ttl, names, path, keyed)
        if behavior.cached and not _uncached(answer):
            cache[names] = entry
        else:
            cache.pop(names, None)
        return entry, False

    @staticmethod
    def _names(distribution, behavior, path, keyed):
        """What an invalidation must cover to evict: the viewer's path and, behind a rewriting function, the rewritten
        one as well. The manual asks for both, so nothing less is trusted to work."""
        paths = [cache_path(path)]
        if behavior.rewrites:
            paths.append(cache_path(rewrite(path)))
        return tuple(dict.fromkeys(p + ("?" + keyed if keyed else "") for p in paths))

    # Origins

    def _compute(self, distribution, path):
        """(answer, seconds an error may be kept or None)."""
        return self._with_error_page(distribution, self._fetch(distribution, path))

    def _with_error_page(self, distribution, answer):
        if answer.status < 400:
            return answer, None
        rule, ttl = distribution.errors.get(answer.status), distribution.error_ttl(answer.status)
        if rule is None or not rule.page:
            return answer, ttl
        page = self._fetch(distribution, rule.page)
        if page.status != 200:
            return answer, ttl
        return Answer(rule.response_code, page.headers, page.body), ttl

    def _fetch(self, distribution, path):
        behavior = distribution.behavior_for(cache_path(path))
        if behavior.rewrites:
            path = rewrite(path)
        if path == "/" and distribution.root:
            path = "/" + distribution.root
        origin = distribution.origins[behavior.origin]
        return self.origins.fetch(origin, origin.path + path)

    # Invalidations

    def _accept(self, distribution, invalidation):
        if not invalidation.applied and all(i is not invalidation for _, i in self._pending):
            self._pending.append((distribution, invalidation))
        self.settle()

    def settle(self):
        """Let the invalidations take effect whose time has come."""
        if not self._pending:
            return
        now = self.clock.now()
        due = [p for p in self._pending if p[1].effective <= now]
        self._pending = [p for p in self._pending if p[1].effective > now]
        for distribution, invalidation in due:
            self._evict(distribution, invalidation)

    def _evict(self, distribution, invalidation):
        invalidation.applied = True
        cache = self.caches.get(distribution.id, {})
        gone = [e for e in cache.values() if all(map(invalidation.cover.covers, e.names)) and not self._ran_out(e)]
        evicted = [{"path": e.names[0], "equal": not e.computed and not self._difference(distribution, e)} for e in gone]
        for entry in gone:
            del cache[entry.key]
        self.evictions.append({"id": invalidation.id, "distribution": distribution.id, "paths": invalidation.paths, "evicted": evicted,
                               "in_vain": [e["path"] for e in evicted if e["equal"]]})

    # What tests ask

    def _ran_out(self, entry):
        return entry.expires is not None and self.clock.now() >= entry.expires

    def _difference(self, distribution, entry):
        """How a cached entry differs from what the origin would answer now; empty when it does not."""
        fresh, _ = self._compute(distribution, entry.path)
        old = entry.answer
        if old.status != fresh.status:
            return [f"status {old.status} -> {fresh.status}"]
        found = [] if old.body is fresh.body or old.body == fresh.body else ["bytes"]
        before, after = _comparable(old.headers), _comparable(fresh.headers)
        return found + sorted(f"header {n}" for n in before.keys() | after.keys() if before.get(n) != after.get(n))

    def stale(self, identifier=None):
        self.settle()
        found = []
        for distribution in self._chosen(identifier):
            for entry in self.caches.get(distribution.id, {}).values():
                why = [] if entry.computed or self._ran_out(entry) else self._difference(distribution, entry)
                if why:
                    found.append({"distribution": distribution.id, "path": entry.names[0], "query": entry.query, "why": why})
        return found

    def entries(self, identifier=None):
        self.settle()
        return [{"distribution": d.id, "path": e.names[0], "status": e.answer.status, "etag": dict(e.answer.headers).get("ETag"), "at": e.at, "expires": e.expires}
                for d in self._chosen(identifier) for e in self.caches.get(d.id, {}).values() if not self._ran_out(e)]

    def _chosen(self, identifier):
        return [self.cloudfront.find(identifier)] if identifier else list(self.cloudfront.distributions.values())

    def clear(self):
        self.caches, self.evictions = {}, []

    def warm(self, identifier=None, paths=None):
        """Fetch paths (default: all that exist) so that the cache holds them; returns a count for each status."""
        counts = {}
        for distribution in self._chosen(identifier):
            for path in paths if paths is not None else self.viewer_paths(distribution):
                raw, _, query = path.partition("?")
                if is_function(distribution.origins[distribution.behavior_for(cache_path(raw)).origin]):
                    continue
                entry, _ = self.lookup(distribution, raw, query)
                counts[str(entry.answer.status)] = counts.get(str(entry.answer.status), 0) + 1
        return counts

    def viewer_paths(self, distribution):
        """Every path under which a viewer finds an object."""
        found = {}
        for origin in distribution.origins.values():
            bucket, website = bucket_of_domain(origin.domain)
            config = self.origins.website_config(bucket) if website else None
            index = (config[0] if config else None) or "index.html"
            prefix = origin.path.lstrip("/") + "/" if origin.path else ""
            for key in list(self.origins.store.shelf(bucket).starting(prefix)) if bucket else ():
                for path in _spellings(key[len(prefix):], index):
                    behavior = distribution.behavior_for(cache_path(path))
                    folder = path == "/" or path.endswith("/") or not path.endswith(viewer_path(key[len(prefix):]))
                    if behavior.origin == origin.id and (not folder or website or behavior.rewrites or (path == "/" and distribution.root)):
                        found[path] = None
        return list(found)


def _spellings(key, index):
    path = viewer_path(key)
    yield path
    if key == index:
        yield "/"
    elif key.endswith("/" + index):
        yield path[:-len(viewer_path(index)) + 1]
        yield path[:-len(viewer_path(index))]


def rewrite(path):
    """What the usual viewer-request function does: a folder means its index document."""
    if path.endswith("/"):
        return path + "index.html"
    return path if "." in path.rsplit("/", 1)[-1] else path + "/index.html"


def _uncached(answer):
    return _UNCACHED.search(dict((n.lower(), v) for n, v in answer.headers).get("cache-control", "")) is not None


def _comparable(headers):
    return {n.lower(): v for n, v in headers if n.lower() not in _IGNORED_WHEN_COMPARING}
