#include "fake/fake_cfn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static bool is_action(const struct fake_seen *seen, const char *action)
{
	size_t n = strlen(action);

	return str_starts(seen->body, "Action=") &&
	       strncmp(seen->body + 7, action, n) == 0 && seen->body[7 + n] == '&';
}

/* A form's value, not decoded; NULL: it has none. */
static const char *form_get(struct fake_cfn *c, const struct fake_seen *seen,
			    const char *name)
{
	const char *key = arena_printf(&c->arena, "&%s=", name);
	const char *at = strstr(seen->body, key);

	if (!at)
		return NULL;
	at += strlen(key);
	return arena_strndup(&c->arena, at, strcspn(at, "&"));
}

static void answer(struct fake_cfn *c, struct fake_reply *reply, const char *action,
		   const char *result)
{
	reply->status = 200;
	reply->body = arena_printf(&c->arena,
				   "<%sResponse><%sResult>%s</%sResult>"
				   "</%sResponse>",
				   action, action, result, action, action);
}

static void refuse(struct fake_cfn *c, struct fake_reply *reply, int status,
		   const char *code, const char *message)
{
	reply->status = status;
	reply->body = arena_printf(&c->arena,
				   "<ErrorResponse><Error><Code>%s</Code><Message>%s"
				   "</Message></Error></ErrorResponse>",
				   code, message);
}

static void refuse_absent(struct fake_cfn *c, struct fake_reply *reply)
{
	refuse(c, reply, 400, "ValidationError",
	       "Stack with id " FAKE_CFN_NAME " does not exist");
}

/* ---- the stack ---- */

static void happen(struct fake_cfn *c, const struct fake_step *step)
{
	fake_steps_push(&c->events, *step);
	if (step->name)
		return;
	c->status = step->status;
	c->reason = step->reason;
}

static void make_stack(struct fake_cfn *c)
{
	c->exists = true;
	c->id = arena_printf(&c->arena, "arn:stack/" FAKE_CFN_NAME "/%d",
			     ++c->generation);
	c->events.len = 0;
	happen(c, &(struct fake_step){ .status = "REVIEW_IN_PROGRESS" });
}

/* One that was waited for long enough comes to rest. */
static void age(struct fake_cfn *c)
{
	if (!c->busy_looks || --c->busy_looks)
		return;
	if (c->rests)
		c->status = c->rests;
	else
		c->exists = false;
}

static void describe_stacks(struct fake_cfn *c, const struct fake_seen *seen,
			    struct fake_reply *reply)
{
	const char *status = c->status;
	const char *updated = c->made && c->updated_later ? c->updated_later : c->updated;

	(void)seen;
	if (!c->exists) {
		refuse_absent(c, reply);
		return;
	}
	if (c->executed && c->shell_looks > 0) {
		c->shell_looks--;
		status = "REVIEW_IN_PROGRESS";
	}
	if (c->running && c->stale_looks > 0) {
		c->stale_looks--;
		status = "UPDATE_COMPLETE";
	}
	answer(c, reply, "DescribeStacks",
	       arena_printf(&c->arena,
			    "<Stacks><member><StackId>%s</StackId><StackName>%s"
			    "</StackName><StackStatus>%s</StackStatus>"
			    "<StackStatusReason>%s</StackStatusReason><Parameters>%s"
			    "</Parameters><Tags>%s</Tags><Capabilities>%s</Capabilities>"
			    "<Outputs>%s</Outputs><LastUpdatedTime>%s"
			    "</LastUpdatedTime></member></Stacks>",
			    c->id, FAKE_CFN_NAME, status, c->reason ? c->reason : "",
			    c->parameters, c->tags, c->capabilities, c->outputs,
			    updated ? updated : ""));
	age(c);
}

static void delete_stack(struct fake_cfn *c, const struct fake_seen *seen,
			 struct fake_reply *reply)
{
	(void)seen;
	c->stack_deleted++;
	if (str_eq(c->status, "REVIEW_IN_PROGRESS") && !c->shell_stays) {
		c->exists = c->has_set = false;
	} else {
		c->status = "DELETE_IN_PROGRESS";
		c->busy_looks = c->shell_stays ? c->shell_stays : 2;
		c->rests = c->deleted;
	}
	answer(c, reply, "DeleteStack", "");
}

/* ---- events ---- */

static void step_on(struct fake_cfn *c)
{
	if (!c->running)
		return;
	if (c->at < c->n_steps)
		happen(c, &c->steps[c->at++]);
	if (c->at < c->n_steps)
		return;
	c->running = false;
	if (c->unsaid)
		c->status = c->unsaid;
}

static void print_event(struct fake_cfn *c, size_t i, struct buf *out)
{
	const struct fake_step *e = &c->events.items[i];

	buf_printf(out,
		   "<member><EventId>e%d-%zu</EventId><LogicalResourceId>%s"
		   "</LogicalResourceId><PhysicalResourceId>%s</PhysicalResourceId>"
		   "<ResourceType>%s</ResourceType><ResourceStatus>%s</ResourceStatus>"
		   "<ResourceStatusReason>%s</ResourceStatusReason>"
		   "<Timestamp>2026-05-28T20:26:40Z</Timestamp></member>",
		   c->generation, i, e->name ? e->name : FAKE_CFN_NAME,
		   e->name ? "" : c->id, e->name ? e->type : FAKE_CFN_TYPE, e->status,
		   e->reason ? e->reason : "");
}

static void describe_events(struct fake_cfn *c, const struct fake_seen *seen,
			    struct fake_reply *reply)
{
	CLEANUP(buf) struct buf xml = BUF_INIT(1 << 20);
	const char *token = form_get(c, seen, "NextToken");
	size_t from, n = 0;

	if (!token)
		step_on(c);
	from = token ? (size_t)strtoul(token, NULL, 10) : c->events.len;
	buf_str(&xml, "<StackEvents>");
	for (; from > 0 && (!c->per_page || n < c->per_page); n++)
		print_event(c, --from, &xml);
	buf_str(&xml, "</StackEvents>");
	if (from)
		buf_printf(&xml, "<NextToken>%zu</NextToken>", from);
	answer(c, reply, "DescribeStackEvents", xml.data);
}

/* ---- change sets ---- */

static void create_set(struct fake_cfn *c, const struct fake_seen *seen,
		       struct fake_reply *reply)
{
	const char *name = form_get(c, seen, "ChangeSetName");
	const char *token = form_get(c, seen, "ClientToken");

	c->creates = str_eq(form_get(c, seen, "ChangeSetType"), "CREATE");
	if (c->has_set && str_eq(name, c->set)) {
		if (!token) {
			refuse(c, reply, 400, "AlreadyExistsException", "there is one");
			return;
		}
	} else {
		c->made++;
		if (!c->exists)
			make_stack(c);
		c->has_set = true;
		c->execution = "AVAILABLE";
		snprintf(c->set, sizeof(c->set), "%s", name);
	}
	answer(c, reply, "CreateChangeSet",
	       arena_printf(&c->arena, "<Id>arn:set/%s</Id><StackId>%s</StackId>", name,
			    c->id));
}

static bool find_set(struct fake_cfn *c, const struct fake_seen *seen,
		     struct fake_reply *reply)
{
	if (c->has_set && form_get(c, seen, "StackName") &&
	    str_eq(form_get(c, seen, "ChangeSetName"), c->set))
		return true;
	refuse(c, reply, 404, "ChangeSetNotFound", "no such set");
	return false;
}

static void describe_set(struct fake_cfn *c, const struct fake_seen *seen,
			 struct fake_reply *reply)
{
	bool second = form_get(c, seen, "NextToken");
	bool made = second || c->set_looks == 0;

	if (!find_set(c, seen, reply))
		return;
	if (!made)
		c->set_looks--;
	answer(c, reply, "DescribeChangeSet",
	       arena_printf(
		       &c->arena,
		       "<Status>%s</Status><StatusReason>%s</StatusReason>"
		       "<ExecutionStatus>%s</ExecutionStatus><Changes>%s</Changes>%s",
		       made ? c->set_status : "CREATE_IN_PROGRESS",
		       made && c->set_reason ? c->set_reason : "",
		       made ? c->execution : "UNAVAILABLE",
		       !made    ? ""
		       : second ? c->changes_2
				: c->changes,
		       made && !second && c->changes_2 ? "<NextToken>2</NextToken>"
						       : ""));
}

static void describe_findings(struct fake_cfn *c, const struct fake_seen *seen,
			      struct fake_reply *reply)
{
	if (find_set(c, seen, reply) && form_get(c, seen, "Filters.FailedEvents"))
		answer(c, reply, "DescribeEvents", c->findings);
}

static void delete_set(struct fake_cfn *c, const struct fake_seen *seen,
		       struct fake_reply *reply)
{
	if (!find_set(c, seen, reply))
		return;
	if (c->set_looks) {
		c->set_looks--;
		refuse(c, reply, 400, "InvalidChangeSetStatus", "CREATE_IN_PROGRESS");
		return;
	}
	c->has_set = false;
	c->set_deleted++;
	if (c->overtaken)
		c->status = c->overtaken;
	answer(c, reply, "DeleteChangeSet", "");
}

static void list_sets(struct fake_cfn *c, const struct fake_seen *seen,
		      struct fake_reply *reply)
{
	(void)seen;
	if (!c->exists) {
		refuse_absent(c, reply);
		return;
	}
	answer(c, reply, "ListChangeSets",
	       c->other_set ? arena_printf(&c->arena,
					   "<Summaries><member><ChangeSetName>%s"
					   "</ChangeSetName></member></Summaries>",
					   c->other_set)
			    : "<Summaries/>");
}

static void execute_set(struct fake_cfn *c, const struct fake_seen *seen,
			struct fake_reply *reply)
{
	if (!find_set(c, seen, reply))
		return;
	if (!str_eq(c->execution, "AVAILABLE")) {
		refuse(c, reply, 400, "InvalidChangeSetStatus", "not AVAILABLE");
		return;
	}
	c->executed++;
	c->execution = "EXECUTE_IN_PROGRESS";
	c->running = true;
	c->at = 0;
	answer(c, reply, "ExecuteChangeSet", "");
}

/* ---- all ---- */

static const struct {
	const char *name;
	void (*serve)(struct fake_cfn *c, const struct fake_seen *seen,
		      struct fake_reply *reply);
} actions[] = {
	{ "DescribeStacks", describe_stacks },      { "DeleteStack", delete_stack },
	{ "DescribeStackEvents", describe_events }, { "CreateChangeSet", create_set },
	{ "DescribeChangeSet", describe_set },      { "DeleteChangeSet", delete_set },
	{ "DescribeEvents", describe_findings },    { "ListChangeSets", list_sets },
	{ "ExecuteChangeSet", execute_set },
};

static struct fake_cfn_fault *find_fault(struct fake_cfn *c, const struct fake_seen *seen)
{
	for (size_t i = 0; i < c->faults.len; i++) {
		struct fake_cfn_fault *f = &c->faults.items[i];

		if (f->times == 0 || !is_action(seen, f->action))
			continue;
		if (f->skip > 0) {
			f->skip--;
			continue;
		}
		if (f->times > 0)
			f->times--;
		return f;
	}
	return NULL;
}

static void serve(void *ctx, const struct fake_seen *seen, struct fake_reply *reply)
{
	struct fake_cfn *c = ctx;
	const struct fake_cfn_fault *fault = find_fault(c, seen);

	reply->status = 418;
	if (fault && fault->status) {
		refuse(c, reply, fault->status, fault->code, fault->message);
		return;
	}
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (is_action(seen, actions[i].name) && (!fault || fault->takes_effect))
			actions[i].serve(c, seen, reply);
	if (fault)
		*reply = (struct fake_reply){ .fail = ERR_NETWORK };
}

void fake_cfn_init(struct fake_cfn *c, struct fake_http *http)
{
	*c = (struct fake_cfn){
		.http = http,
		.parameters = "",
		.tags = "",
		.capabilities = "",
		.outputs = "",
		.set_status = "CREATE_COMPLETE",
		.findings = "",
		.changes = "",
	};
	http->serve = serve;
	http->serve_ctx = c;
}

void fake_cfn_release(struct fake_cfn *c)
{
	fake_cfn_faults_release(&c->faults);
	fake_steps_release(&c->events);
	arena_release(&c->arena);
}

struct fake_cfn_fault *fake_cfn_fail(struct fake_cfn *c, const char *action, int times,
				     int status, const char *code, const char *message)
{
	return fake_cfn_faults_push(&c->faults, (struct fake_cfn_fault){
							.action = action,
							.times = times,
							.status = status,
							.code = code,
							.message = message,
						});
}

size_t fake_cfn_count(const struct fake_cfn *c, const char *action)
{
	size_t n = 0;

	for (size_t i = 0; i < c->http->seen.len; i++)
		n += is_action(&c->http->seen.items[i], action);
	return n;
}

const char *fake_cfn_body(const struct fake_cfn *c, const char *action, size_t nth)
{
	for (size_t i = 0; i < c->http->seen.len; i++)
		if (is_action(&c->http->seen.items[i], action) && nth-- == 0)
			return c->http->seen.items[i].body;
	return NULL;
}
