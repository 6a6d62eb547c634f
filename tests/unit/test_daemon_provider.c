#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/provider.h"

/* The signatures below were computed by another program (Python's hmac), with these. */
#define OLD    "1111111111111111111111111111111111111111"
#define NEW    "abcdefabcdefabcdefabcdefabcdefabcdefabcd"
#define ZERO   "0000000000000000000000000000000000000000"
#define SECRET "It's a Secret to Everybody"
#define WHSEC  "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define NOW    1764000000

#define BODY     "{\"a\":1}"
#define HEX      "3aea7d9882012d69ea49b8443b94e755179f85ee830bfa901efb5dc673af63a3"
/* "payload=" and BODY, as a form, and its own digest. */
#define FORM     "payload=%7B%22a%22%3A1%7D"
#define FORM_HEX "866d7eddb21f3c75ba35c06e5b89f15a9043060c50941fceecc448035cff0a85"
/* Of "msg_1.1764000000." and BODY, with WHSEC's key. */
#define V1       "tLbelNF/p5qcsVSYGUGqQanAiOnWGvPADwiB5tRe5uU="

enum { HEADERS_MOST = 6 };

static struct provider_keys keys_of(const char *first, const char *second)
{
	struct provider_keys keys = { .n_secrets = 0 };

	if (first)
		secret_set_str(&keys.secrets[keys.n_secrets++], first);
	if (second)
		secret_set_str(&keys.secrets[keys.n_secrets++], second);
	return keys;
}

static void keys_release(struct provider_keys *keys)
{
	for (size_t i = 0; i < keys->n_secrets; i++)
		secret_release(&keys->secrets[i]);
}

static struct request request_of(const struct request_header *headers, const char *body)
{
	struct request r = { .method = "POST",
			     .path = "/hook/site",
			     .query = "",
			     .headers = headers,
			     .body = body,
			     .body_len = strlen(body),
			     .peer = "192.0.2.1" };

	while (r.n_headers < HEADERS_MOST && headers[r.n_headers].name)
		r.n_headers++;
	return r;
}

/* One attempt. refused: what the message says, NULL when it is let in. */
struct attempt {
	const char *label;
	const char *provider;
	const char *secrets[2];
	struct request_header headers[HEADERS_MOST];
	const char *body;
	const char *refused;
	struct provider_generic generic;
};

#define HUB   "X-Hub-Signature-256"
#define TOKEN "X-Gitlab-Token"
#define STANDARD(timestamp, signature)                                 \
	{ "webhook-id", "msg_1" }, { "webhook-timestamp", timestamp }, \
	{                                                              \
		"webhook-signature", signature                         \
	}
#define FORM_TYPE                                                                  \
	{                                                                          \
		"Content-Type", "application/x-www-form-urlencoded; charset=utf-8" \
	}

static const struct attempt attempts[] = {
	{ "github", "github", { SECRET }, { { HUB, "sha256=" HEX } }, BODY, NULL, { 0 } },
	{ "a header's case does not matter",
	  "github",
	  { SECRET },
	  { { "x-hub-signature-256", "sha256=" HEX } },
	  BODY,
	  NULL,
	  { 0 } },
	{ "the second secret",
	  "github",
	  { "other", SECRET },
	  { { HUB, "sha256=" HEX } },
	  BODY,
	  NULL,
	  { 0 } },
	{ "another secret",
	  "github",
	  { "other" },
	  { { HUB, "sha256=" HEX } },
	  BODY,
	  "does not match",
	  { 0 } },
	{ "no secret",
	  "github",
	  { NULL },
	  { { HUB, "sha256=" HEX } },
	  BODY,
	  "not match",
	  { 0 } },
	{ "an empty secret fits nothing",
	  "github",
	  { "" },
	  { { HUB,
	      "sha256=e0baad27ae5335a93e2979e6693e7630de7d66b4d5bfd687cdbf1f0018f79cb8" } },
	  BODY,
	  "does not match",
	  { 0 } },
	{ "another body",
	  "github",
	  { SECRET },
	  { { HUB, "sha256=" HEX } },
	  "{\"a\":2}",
	  "does not match",
	  { 0 } },
	{ "no signature", "github", { SECRET }, { { 0 } }, BODY, "is missing", { 0 } },
	{ "SHA-1 is not enough",
	  "github",
	  { SECRET },
	  { { "X-Hub-Signature", "sha1=be2e6fa5f8e8ed5a2225f64298ef4b4979013abc" } },
	  BODY,
	  HUB " is missing",
	  { 0 } },
	{ "two signatures, one of which fits",
	  "github",
	  { SECRET },
	  { { HUB, "sha256=" HEX }, { "X-HUB-Signature-256", "sha256=" FORM_HEX } },
	  BODY,
	  "more than once",
	  { 0 } },
	{ "without prefix",
	  "github",
	  { SECRET },
	  { { HUB, HEX } },
	  BODY,
	  "is not",
	  { 0 } },
	{ "cut short",
	  "github",
	  { SECRET },
	  { { HUB, "sha256=00" } },
	  BODY,
	  "is not",
	  { 0 } },
	{ "one digit more",
	  "github",
	  { SECRET },
	  { { HUB, "sha256=" HEX "0" } },
	  BODY,
	  "is not",
	  { 0 } },
	{ "empty", "github", { SECRET }, { { HUB, "" } }, BODY, "is not", { 0 } },
	{ "github signs the form",
	  "github",
	  { SECRET },
	  { { HUB, "sha256=" FORM_HEX }, FORM_TYPE },
	  FORM,
	  NULL,
	  { 0 } },
	{ "and not what is in it",
	  "github",
	  { SECRET },
	  { { HUB, "sha256=" HEX }, FORM_TYPE },
	  FORM,
	  "does not match",
	  { 0 } },
	{ "gitea signs what is in the form",
	  "gitea",
	  { SECRET },
	  { { "X-Gitea-Signature", HEX }, FORM_TYPE },
	  FORM,
	  NULL,
	  { 0 } },
	{ "and not the form",
	  "gogs",
	  { SECRET },
	  { { "X-Gogs-Signature", FORM_HEX }, FORM_TYPE },
	  FORM,
	  "does not match",
	  { 0 } },
	{ "a form without payload",
	  "forgejo",
	  { SECRET },
	  { { "X-Forgejo-Signature", HEX }, FORM_TYPE },
	  "x=1&y=2",
	  "no payload",
	  { 0 } },
	{ "gitea",
	  "gitea",
	  { SECRET },
	  { { "X-Gitea-Signature", HEX } },
	  BODY,
	  NULL,
	  { 0 } },
	{ "gitea, GitHub's header alone",
	  "gitea",
	  { SECRET },
	  { { HUB, "sha256=" HEX } },
	  BODY,
	  "X-Gitea-Signature is missing",
	  { 0 } },
	{ "forgejo",
	  "forgejo",
	  { SECRET },
	  { { "X-Forgejo-Signature", HEX } },
	  BODY,
	  NULL,
	  { 0 } },
	{ "gogs",
	  "gogs",
	  { SECRET },
	  { { "X-Gogs-Signature", HEX } },
	  BODY,
	  NULL,
	  { 0 } },
	{ "bitbucket cloud",
	  "bitbucket-cloud",
	  { SECRET },
	  { { "X-Hub-Signature", "sha256=" HEX } },
	  BODY,
	  NULL,
	  { 0 } },
	{ "bitbucket server, SHA-1",
	  "bitbucket-server",
	  { SECRET },
	  { { "X-Hub-Signature", "sha1=be2e6fa5f8e8ed5a2225f64298ef4b4979013abc" } },
	  BODY,
	  "is not \"sha256=HEX\"",
	  { 0 } },
	{ "gitlab's token",
	  "gitlab",
	  { SECRET },
	  { { TOKEN, SECRET } },
	  BODY,
	  NULL,
	  { 0 } },
	{ "a longer one",
	  "gitlab",
	  { SECRET },
	  { { TOKEN, SECRET "!" } },
	  BODY,
	  "another secret",
	  { 0 } },
	{ "the beginning of it",
	  "gitlab",
	  { SECRET },
	  { { TOKEN, "It" } },
	  BODY,
	  "another secret",
	  { 0 } },
	{ "an empty token", "gitlab", { "" }, { { TOKEN, "" } }, BODY, "another", { 0 } },
	{ "gitlab's signature",
	  "gitlab",
	  { WHSEC },
	  { STANDARD("1764000000", "v1," V1) },
	  BODY,
	  NULL,
	  { 0 } },
	{ "a whsec_ secret as a token",
	  "gitlab",
	  { WHSEC },
	  { { TOKEN, WHSEC } },
	  BODY,
	  "not compared with X-Gitlab-Token",
	  { 0 } },
	{ "a token while signatures are being introduced",
	  "gitlab",
	  { WHSEC, SECRET },
	  { { TOKEN, SECRET } },
	  BODY,
	  NULL,
	  { 0 } },
	{ "both, the signature wrong",
	  "gitlab",
	  { WHSEC },
	  { { TOKEN, WHSEC }, STANDARD("1764000000", "v1,AAAA") },
	  BODY,
	  "webhook-signature does not match",
	  { 0 } },
	{ "azure",
	  "azure-devops",
	  { SECRET },
	  { { "Authorization", "Basic dXNlcjpJdCdzIGEgU2VjcmV0IHRvIEV2ZXJ5Ym9keQ==" } },
	  BODY,
	  NULL,
	  { 0 } },
	{ "any user, the scheme in any case",
	  "azure-devops",
	  { SECRET },
	  { { "Authorization", "bASIC  Okl0J3MgYSBTZWNyZXQgdG8gRXZlcnlib2R5" } },
	  BODY,
	  NULL,
	  { 0 } },
	{ "another password",
	  "azure-devops",
	  { "other" },
	  { { "Authorization", "Basic dXNlcjpJdCdzIGEgU2VjcmV0IHRvIEV2ZXJ5Ym9keQ==" } },
	  BODY,
	  "not Basic with this password",
	  { 0 } },
	{ "no colon",
	  "azure-devops",
	  { SECRET },
	  { { "Authorization", "Basic SXQncyBhIFNlY3JldCB0byBFdmVyeWJvZHk=" } },
	  BODY,
	  "not Basic",
	  { 0 } },
	{ "another scheme",
	  "azure-devops",
	  { SECRET },
	  { { "Authorization", "Bearer dXNlcjpJdCdzIGEgU2VjcmV0IHRvIEV2ZXJ5Ym9keQ==" } },
	  BODY,
	  "not Basic",
	  { 0 } },
	{ "no base64",
	  "azure-devops",
	  { SECRET },
	  { { "Authorization", "Basic ???" } },
	  BODY,
	  "not Basic",
	  { 0 } },
	{ "generic: Standard Webhooks by default",
	  "generic",
	  { WHSEC },
	  { STANDARD("1764000000", "v1," V1) },
	  BODY,
	  NULL,
	  { 0 } },
	{ "one of several signatures",
	  "generic",
	  { WHSEC },
	  { STANDARD("1764000000", "v1,AAAA v1a," V1 "  v1," V1) },
	  BODY,
	  NULL,
	  { 0 } },
	{ "another version",
	  "generic",
	  { WHSEC },
	  { STANDARD("1764000000", "v2," V1) },
	  BODY,
	  "does not match",
	  { 0 } },
	{ "not separated by a space",
	  "generic",
	  { WHSEC },
	  { STANDARD("1764000000", "v1,AAAA,v1," V1) },
	  BODY,
	  "does not match",
	  { 0 } },
	{ "another time",
	  "generic",
	  { WHSEC },
	  { STANDARD("1764000001", "v1," V1) },
	  BODY,
	  "does not match",
	  { 0 } },
	{ "300 s are near enough: does not match, but in time",
	  "generic",
	  { WHSEC },
	  { STANDARD("1763999700", "v1," V1) },
	  BODY,
	  "does not match",
	  { 0 } },
	{ "301 s ago",
	  "generic",
	  { WHSEC },
	  { STANDARD("1763999699", "v1,o84BIyGFfu7lDc/vjyflThmtOKFMKCMytfVsMm6/VQ4=") },
	  BODY,
	  "off our clock",
	  { 0 } },
	{ "301 s ahead",
	  "generic",
	  { WHSEC },
	  { STANDARD("1764000301", "v1,I0vol4f12NltusaqEnOJEhLo6sUmdXNV+UrH1zG2+z8=") },
	  BODY,
	  "off our clock",
	  { 0 } },
	{ "no number",
	  "generic",
	  { WHSEC },
	  { STANDARD("1764000000 ", "v1," V1) },
	  BODY,
	  "off our clock",
	  { 0 } },
	{ "no id",
	  "generic",
	  { WHSEC },
	  { { "webhook-timestamp", "1764000000" }, { "webhook-signature", "v1," V1 } },
	  BODY,
	  "webhook-id is missing",
	  { 0 } },
	{ "two ids",
	  "generic",
	  { WHSEC },
	  { STANDARD("1764000000", "v1," V1), { "Webhook-Id", "msg_2" } },
	  BODY,
	  "webhook-id comes more than once",
	  { 0 } },
	{ "a key that is no whsec_",
	  "generic",
	  { SECRET },
	  { STANDARD("1764000000", "v1," V1) },
	  BODY,
	  "does not match",
	  { 0 } },
	{ "whsec_ and nothing",
	  "generic",
	  { "whsec_" },
	  { STANDARD("1764000000", "v1,25+Qd43vNkdi7NGZLvbmFT4mBmKkW4dpdPovN6UPWs8=") },
	  BODY,
	  "does not match",
	  { 0 } },
	{ "generic HMAC",
	  "generic",
	  { SECRET },
	  { { "X-Sum", HEX } },
	  BODY,
	  NULL,
	  { .auth = "hmac-sha256", .header = "x-sum" } },
	{ "with prefix",
	  "generic",
	  { SECRET },
	  { { "X-Sum", "sha256=" HEX } },
	  BODY,
	  NULL,
	  { .auth = "hmac-sha256", .header = "x-sum" } },
	{ "generic token",
	  "generic",
	  { SECRET },
	  { { "X-Key", SECRET } },
	  BODY,
	  NULL,
	  { .auth = "token", .header = "x-key" } },
	{ "its header is missing",
	  "generic",
	  { SECRET },
	  { { "X-Sum", SECRET } },
	  BODY,
	  "x-key is missing",
	  { .auth = "token", .header = "x-key" } },
	{ "settings that were never checked",
	  "generic",
	  { SECRET },
	  { { "X-Key", SECRET } },
	  BODY,
	  "do not say",
	  { .auth = "token" } },
};

static void authenticate(const struct attempt *t)
{
	struct provider_keys keys = keys_of(t->secrets[0], t->secrets[1]);
	const struct request r = request_of(t->headers, t->body);
	struct error err = ERROR_INIT;
	int done;

	keys.generic = t->generic;
	done = provider_authenticate(provider_find(t->provider), &keys, &r, NOW, &err);
	keys_release(&keys);
	if ((done == 0) != (t->refused == NULL))
		fail_msg("%s: %d %s", t->label, done, err.msg);
	if (!t->refused)
		return;
	if (err.code != ERR_CREDENTIALS || !strstr(err.msg, t->refused))
		fail_msg("%s: %s instead of %s", t->label, err.msg, t->refused);
	if (strstr(err.msg, SECRET) || strstr(err.msg, HEX) || strstr(err.msg, V1))
		fail_msg("%s: tells too much: %s", t->label, err.msg);
}

static void authenticates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++)
		authenticate(&attempts[i]);
}

/* What is read of a delivery: "KIND DELIVERY" and a line a change, or what is wrong. */
struct sight {
	const char *label;
	const char *provider;
	struct request_header headers[HEADERS_MOST];
	const char *body;
	const char *is;
	struct provider_generic generic;
};

#define MOVE(ref, before, after) \
	"{\"ref\":\"" ref "\",\"before\":\"" before "\",\"after\":\"" after "\"}"
#define GITHUB(event)                             \
	{                                         \
		{ "X-GitHub-Event", event },      \
		{                                 \
			"X-GitHub-Delivery", "d1" \
		}                                 \
	}
#define PUSHED "changes d1\nrefs/heads/main " OLD " " NEW "\n"
#define KEY(event)                           \
	{                                    \
		{                            \
			"X-Event-Key", event \
		}                            \
	}
#define CLOUD(changes) "{\"push\":{\"changes\":[" changes "]}}"
#define SIDE(type, name, hash) \
	"{\"type\":\"" type "\",\"name\":\"" name "\",\"target\":{\"hash\":\"" hash "\"}}"

static const struct sight sights[] = {
	{ "push",
	  "github",
	  GITHUB("push"),
	  MOVE("refs/heads/main", OLD, NEW),
	  PUSHED,
	  { 0 } },
	{ "upper case",
	  "github",
	  GITHUB("push"),
	  MOVE("refs/heads/main", OLD, "ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD"),
	  PUSHED,
	  { 0 } },
	{ "a form",
	  "github",
	  { { "X-GitHub-Event", "push" },
	    { "Content-Type", "APPLICATION/x-www-form-urlencoded" } },
	  "a=b&payload=%7b%22ref%22:+%22refs/heads/a%2Bb%22,%22before%22:%22" OLD
	  "%22,%22after%22:%22" NEW "%22}&payloads=1",
	  "changes \nrefs/heads/a+b " OLD " " NEW "\n",
	  { 0 } },
	{ "a form of two payloads",
	  "github",
	  { { "X-GitHub-Event", "push" },
	    { "Content-Type", "application/x-www-form-urlencoded" } },
	  "payload=%7b%7d&payload=%7b%7d",
	  "! the form has two payloads",
	  { 0 } },
	{ "a form cut in an escape",
	  "github",
	  { { "X-GitHub-Event", "push" },
	    { "Content-Type", "application/x-www-form-urlencoded" } },
	  "payload=%7",
	  "! the form's payload is badly encoded",
	  { 0 } },
	{ "JSON that is called a form by nobody",
	  "github",
	  GITHUB("push"),
	  "payload={}",
	  "! JSON: a syntax error at line 1, column 7",
	  { 0 } },
	{ "ping, unread", "github", GITHUB("ping"), "[", "ping d1\n", { 0 } },
	{ "another event, unread",
	  "github",
	  GITHUB("pull_request"),
	  "[",
	  "other d1\n",
	  { 0 } },
	{ "no event",
	  "github",
	  { { "X-Gitea-Event", "push" } },
	  "{}",
	  "! the header X-GitHub-Event is missing",
	  { 0 } },
	{ "two events",
	  "github",
	  { { "X-GitHub-Event", "push" }, { "X-GitHub-Event", "ping" } },
	  "{}",
	  "! the header X-GitHub-Event comes more than once",
	  { 0 } },
	{ "two deliveries",
	  "github",
	  { { "X-GitHub-Event", "ping" },
	    { "X-GitHub-Delivery", "1" },
	    { "X-GitHub-Delivery", "2" } },
	  "{}",
	  "! the header X-GitHub-Delivery comes more than once",
	  { 0 } },
	{ "a delivery of odd bytes",
	  "github",
	  { { "X-GitHub-Event", "ping" }, { "X-GitHub-Delivery", "\xff" } },
	  "{}",
	  "! X-GitHub-Delivery is not printable ASCII",
	  { 0 } },
	{ "new ref",
	  "github",
	  GITHUB("push"),
	  MOVE("refs/tags/v1", ZERO, NEW),
	  "changes d1\nrefs/tags/v1 - " NEW "\n",
	  { 0 } },
	{ "deleted ref",
	  "github",
	  GITHUB("push"),
	  MOVE("refs/heads/main", OLD, ZERO),
	  "changes d1\nrefs/heads/main " OLD " -\n",
	  { 0 } },
	{ "39 digits",
	  "github",
	  GITHUB("push"),
	  MOVE("refs/heads/main", OLD, "abcdefabcdefabcdefabcdefabcdefabcdefabc"),
	  "! the commit after: it is not 40 hex digits",
	  { 0 } },
	{ "no digits",
	  "github",
	  GITHUB("push"),
	  MOVE("refs/heads/main", "xbcdefabcdefabcdefabcdefabcdefabcdefabcd", NEW),
	  "! the commit before: it is not 40 hex digits",
	  { 0 } },
	{ "SHA-256",
	  "gitea",
	  { { "X-Gitea-Event", "push" } },
	  MOVE("refs/heads/main", OLD, OLD "111111111111111111111111"),
	  "! the commit after: repositories with SHA-256 are not supported",
	  { 0 } },
	{ "no commit",
	  "github",
	  GITHUB("push"),
	  "{\"ref\":\"refs/heads/main\",\"before\":\"" OLD "\"}",
	  "! the commit after: it is missing",
	  { 0 } },
	{ "no ref", "github", GITHUB("push"), "[1]", "! a change has no ref", { 0 } },
	{ "no JSON",
	  "github",
	  GITHUB("push"),
	  "",
	  "! JSON: cut short at line 1, column 0",
	  { 0 } },
	{ "gitea's test delivery",
	  "gitea",
	  { { "X-Gitea-Event", "push" }, { "X-Gitea-Delivery", "d1" } },
	  MOVE("refs/heads/main", ZERO, ZERO),
	  "ping d1\n",
	  { 0 } },
	{ "of an older one",
	  "forgejo",
	  { { "X-Forgejo-Event", "push" } },
	  MOVE("refs/heads/main", NEW, NEW),
	  "ping \n",
	  { 0 } },
	{ "gogs, deleted",
	  "gogs",
	  { { "X-Gogs-Event", "push" } },
	  MOVE("refs/heads/main", OLD, ZERO),
	  "changes \nrefs/heads/main " OLD " -\n",
	  { 0 } },
	{ "gitea, GitHub's event",
	  "gitea",
	  { { "X-GitHub-Event", "push" } },
	  "{}",
	  "! the header X-Gitea-Event is missing",
	  { 0 } },
	{ "gitlab's tag",
	  "gitlab",
	  { { "X-Gitlab-Event", "Tag Push Hook" }, { "Idempotency-Key", "d1" } },
	  MOVE("refs/tags/v1", ZERO, NEW),
	  "changes d1\nrefs/tags/v1 - " NEW "\n",
	  { 0 } },
	{ "webhook-id goes first",
	  "gitlab",
	  { { "X-Gitlab-Event", "Issue Hook" },
	    { "X-Gitlab-Webhook-UUID", "d3" },
	    { "Idempotency-Key", "d2" },
	    { "webhook-id", "d1" } },
	  "{}",
	  "other d1\n",
	  { 0 } },
	{ "gitlab's system hook, all refs",
	  "gitlab",
	  { { "X-Gitlab-Event", "System Hook" } },
	  "{\"event_name\":\"repository_update\",\"changes\":[" MOVE(
		  "refs/heads/a", OLD, NEW) "," MOVE("refs/heads/b", NEW, ZERO) "]}",
	  "changes \nrefs/heads/a " OLD " " NEW "\nrefs/heads/b " NEW " -\n",
	  { 0 } },
	{ "of something else",
	  "gitlab",
	  { { "X-Gitlab-Event", "System Hook" } },
	  "{\"event_name\":\"project_create\"}",
	  "other \n",
	  { 0 } },
	{ "bitbucket cloud, several",
	  "bitbucket-cloud",
	  KEY("repo:push"),
	  CLOUD("{\"old\":" SIDE("branch", "main", OLD) ",\"new\":" SIDE("branch", "main", NEW) "},{\"old\":null,\"new\":" SIDE(
		  "tag", "v1",
		  NEW) "},{\"old\":" SIDE("branch", "old",
					  OLD) ",\"new\":null},{\"old\":null,\"new\":" SIDE("bookmark",
											    "hg",
											    OLD) "}"),
	  "changes \nrefs/heads/main " OLD " " NEW "\nrefs/tags/v1 - " NEW
	  "\nrefs/heads/old " OLD " -\n",
	  { 0 } },
	{ "a change of nothing",
	  "bitbucket-cloud",
	  KEY("repo:push"),
	  CLOUD("{\"old\":null,\"new\":null}"),
	  "! a change has neither new nor old",
	  { 0 } },
	{ "a side without hash",
	  "bitbucket-cloud",
	  KEY("repo:push"),
	  CLOUD("{\"old\":null,\"new\":{\"type\":\"branch\",\"name\":\"a\"}}"),
	  "! the commit after: it is missing",
	  { 0 } },
	{ "no changes at all",
	  "bitbucket-cloud",
	  KEY("repo:push"),
	  CLOUD(""),
	  "changes \n",
	  { 0 } },
	{ "no array",
	  "bitbucket-cloud",
	  KEY("repo:push"),
	  "{\"push\":{}}",
	  "! there are no push.changes",
	  { 0 } },
	{ "bitbucket server's ping",
	  "bitbucket-server",
	  KEY("diagnostics:ping"),
	  "{\"test\":true}",
	  "ping \n",
	  { 0 } },
	{ "bitbucket server",
	  "bitbucket-server",
	  KEY("repo:refs_changed"),
	  "{\"changes\":[{\"refId\":\"refs/heads/main\",\"fromHash\":\"" OLD
	  "\",\"toHash\":\"" NEW
	  "\",\"type\":\"UPDATE\"},{\"ref\":{\"id\":\"refs/heads/b\"},"
	  "\"fromHash\":\"" OLD "\",\"toHash\":\"" NEW "\",\"type\":\"DELETE\"}]}",
	  "changes \nrefs/heads/main " OLD " " NEW "\nrefs/heads/b " OLD " -\n",
	  { 0 } },
	{ "azure",
	  "azure-devops",
	  { { 0 } },
	  "{\"id\":\"d1\",\"eventType\":\"git.push\",\"resource\":{\"refUpdates\":[{\"name\":"
	  "\"refs/heads/main\",\"oldObjectId\":\"" OLD "\",\"newObjectId\":\"" NEW
	  "\"}]}}",
	  PUSHED,
	  { 0 } },
	{ "azure without id",
	  "azure-devops",
	  { { 0 } },
	  "{\"subscriptionId\":\"s\",\"notificationId\":7,\"eventType\":\"build.complete\"}",
	  "other s/7\n",
	  { 0 } },
	{ "azure's test",
	  "azure-devops",
	  { { 0 } },
	  "{\"id\":\"d1\",\"subscriptionId\":\"00000000-0000-0000-0000-000000000000\","
	  "\"eventType\":\"git.push\"}",
	  "ping d1\n",
	  { 0 } },
	{ "azure, nothing",
	  "azure-devops",
	  { { 0 } },
	  "{}",
	  "! there is no eventType",
	  { 0 } },
	{ "azure, a push of nothing",
	  "azure-devops",
	  { { 0 } },
	  "{\"eventType\":\"git.push\",\"resource\":{}}",
	  "! there are no resource.refUpdates: the subscription must send all resource "
	  "details",
	  { 0 } },
	{ "generic",
	  "generic",
	  { { "webhook-id", "d1" } },
	  MOVE("refs/heads/main", OLD, NEW),
	  PUSHED,
	  { 0 } },
	{ "a branch by its name",
	  "generic",
	  { { "webhook-id", "d1" } },
	  MOVE("main", OLD, NEW),
	  PUSHED,
	  { 0 } },
	{ "our hook script's",
	  "generic",
	  { { "webhook-id", "d1" } },
	  "{\"changes\":[" MOVE("refs/heads/main", OLD, NEW) "]}",
	  PUSHED,
	  { 0 } },
	{ "pointers",
	  "generic",
	  { { "webhook-id", "unused" } },
	  "{\"d\":{\"ref\":\"main\",\"was\":null,\"is\":\"" NEW "\"},\"id\":5}",
	  "changes 5\nrefs/heads/main - " NEW "\n",
	  { .ref = "/d/ref", .before = "/d/was", .after = "/d/is", .delivery = "/id" } },
	{ "changes by a pointer",
	  "generic",
	  { { 0 } },
	  "{\"ref\":\"unused\",\"all\":[{\"x\":{\"r\":\"main\"},\"after\":null}]}",
	  "changes \nrefs/heads/main - -\n",
	  { .changes = "/all", .ref = "/x/r" } },
	{ "a pointer to nothing",
	  "generic",
	  { { 0 } },
	  MOVE("main", OLD, NEW),
	  "! changes: no array is at /all",
	  { .changes = "/all" } },
	{ "no delivery",
	  "generic",
	  { { 0 } },
	  MOVE("main", OLD, NEW),
	  "! delivery: nothing is at /id",
	  { .delivery = "/id" } },
	{ "nothing where after should be",
	  "generic",
	  { { 0 } },
	  "{\"ref\":\"main\"}",
	  "! the commit after: it is missing",
	  { 0 } },
};

static void describe(const struct push *push, struct buf *out)
{
	static const char *const kinds[] = { "changes", "ping", "other" };

	buf_printf(out, "%s %s\n", kinds[push->kind], push->delivery);
	for (size_t i = 0; i < push->n_changes; i++) {
		const struct push_change *c = &push->changes[i];

		buf_printf(out, "%s %s %s\n", c->ref, *c->before ? c->before : "-",
			   *c->after ? c->after : "-");
	}
}

static void parses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sights) / sizeof(*sights); i++) {
		const struct sight *t = &sights[i];
		const struct provider_keys keys = { .generic = t->generic };
		const struct request r = request_of(t->headers, t->body);
		CLEANUP(buf) struct buf is = BUF_INIT(1 << 16);
		CLEANUP(push) struct push push;
		struct error err = ERROR_INIT;

		if (provider_parse(provider_find(t->provider), &keys, &r, &push, &err) ==
		    0)
			describe(&push, &is);
		else
			buf_printf(&is, "! %s", err.msg);
		if (!str_eq(is.data, t->is))
			fail_msg("%s:\n%s\ninstead of\n%s", t->label, is.data, t->is);
		if (is.data[0] == '!' && err.code != ERR_DATA)
			fail_msg("%s: %s", t->label, error_code_name(err.code));
	}
}

/* A body is bytes: a NUL ends nothing. */
static void stands_nuls(void **state)
{
	static const char body[] = "payload=%7B\0%7D%7D%7D%7D%7D%7D%7D%7D%7D";
	const struct request_header headers[HEADERS_MOST] = {
		{ "X-Gitea-Event", "push" },
		{ "X-Gitea-Signature", HEX },
		{ "Content-Type", "application/x-www-form-urlencoded" }
	};
	struct provider_keys keys = keys_of(SECRET, NULL);
	struct request r = request_of(headers, body);
	CLEANUP(push) struct push push;
	struct error err = ERROR_INIT;

	(void)state;
	r.body_len = sizeof(body) - 1;
	assert_int_equal(
		provider_authenticate(provider_find("gitea"), &keys, &r, NOW, &err), -1);
	assert_string_equal(err.msg, "the form's payload is badly encoded");
	assert_int_equal(provider_parse(provider_find("gitea"), &keys, &r, &push, &err),
			 -1);
	assert_string_equal(err.msg, "the form's payload is badly encoded");
	keys_release(&keys);
}

/* The error of a generic payload of so many changes, "" for none. */
static void read_changes(int n, struct error *err)
{
	CLEANUP(buf) struct buf body = BUF_INIT(1 << 20);
	const struct request_header headers[HEADERS_MOST] = { { 0 } };
	const struct provider_keys keys = { .n_secrets = 0 };
	CLEANUP(push) struct push push;
	struct request r;

	buf_str(&body, "{\"changes\":[" MOVE("main", OLD, NEW));
	for (int i = 1; i < n; i++)
		buf_str(&body, "," MOVE("main", OLD, NEW));
	buf_str(&body, "]}");
	r = request_of(headers, body.data);
	if (provider_parse(provider_find("generic"), &keys, &r, &push, err) == 0)
		assert_int_equal(push.n_changes, n);
}

/* The same with a delivery's name of n bytes. */
static void read_name(size_t n, struct error *err)
{
	char id[PUSH_DELIVERY_MAX + 1] = "";
	const struct request_header headers[HEADERS_MOST] = { { "webhook-id", id } };
	const struct request r = request_of(headers, MOVE("main", OLD, NEW));
	const struct provider_keys keys = { .n_secrets = 0 };
	CLEANUP(push) struct push push;

	memset(id, 'x', n);
	if (provider_parse(provider_find("generic"), &keys, &r, &push, err) == 0)
		assert_string_equal(push.delivery, id);
}

static void has_limits(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	read_changes(PUSH_CHANGES_MOST, &err);
	read_name(PUSH_DELIVERY_MAX - 1, &err);
	assert_string_equal(err.msg, "");
	read_changes(PUSH_CHANGES_MOST + 1, &err);
	assert_string_equal(err.msg, "more than 1000 changes in one push");
	read_name(PUSH_DELIVERY_MAX, &err);
	assert_string_equal(err.msg, "webhook-id is longer than 127 bytes");
}

/* Whether settings are enough. */
struct settings_sight {
	const char *provider;
	const char *secrets[2];
	struct provider_generic generic;
	const char *wrong; /* NULL: they are */
};

static const struct settings_sight settings_sights[] = {
	{ "github", { SECRET }, { 0 }, NULL },
	{ "github", { SECRET, "other" }, { 0 }, NULL },
	{ "github", { NULL }, { 0 }, "github: there is no secret" },
	{ "github", { SECRET, "" }, { 0 }, "github: secret 2 is empty" },
	{ "gitlab", { "token", WHSEC }, { 0 }, NULL },
	{ "gitlab",
	  { "whsec_?" },
	  { 0 },
	  "gitlab: secret 1 is not \"whsec_\" and base64" },
	{ "gitlab",
	  { "whsec_" },
	  { 0 },
	  "gitlab: secret 1 is not \"whsec_\" and base64" },
	{ "generic", { WHSEC }, { 0 }, NULL },
	{ "generic",
	  { SECRET },
	  { 0 },
	  "generic: secret 1 is not \"whsec_\" and base64" },
	{ "generic", { SECRET }, { .auth = "token", .header = "x-key" }, NULL },
	{ "generic",
	  { SECRET },
	  { .auth = "token" },
	  "generic: auth: token needs the name of a header" },
	{ "generic",
	  { SECRET },
	  { .auth = "md5", .header = "x-key" },
	  "generic: auth: \"md5\" is none of standard-webhooks, hmac-sha256, token" },
	{ "generic",
	  { WHSEC },
	  { .after = "detail" },
	  "generic: after: \"detail\" is not a JSON pointer, as \"/detail/ref\" is" },
};

static void checks_settings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(settings_sights) / sizeof(*settings_sights); i++) {
		const struct settings_sight *t = &settings_sights[i];
		struct provider_keys keys = keys_of(t->secrets[0], t->secrets[1]);
		struct error err = ERROR_INIT;
		int done;

		keys.generic = t->generic;
		done = provider_check(provider_find(t->provider), &keys, &err);
		keys_release(&keys);
		assert_string_equal(err.msg, t->wrong ? t->wrong : "");
		assert_int_equal(done, t->wrong ? -1 : 0);
		assert_int_equal(err.code, t->wrong ? ERR_CONFIG : ERR_NONE);
	}
}

static void has_rows(void **state)
{
	size_t n = 0;

	(void)state;
	for (; provider_at(n); n++)
		assert_ptr_equal(provider_find(provider_name(provider_at(n))),
				 provider_at(n));
	assert_int_equal(n, 9);
	assert_null(provider_find("sourcehut"));
	assert_null(provider_find("GitHub"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(authenticates), cmocka_unit_test(parses),
		cmocka_unit_test(has_limits),    cmocka_unit_test(checks_settings),
		cmocka_unit_test(has_rows),      cmocka_unit_test(stands_nuls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
