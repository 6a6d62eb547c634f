/* plan_case.h - what a plan is made from, as a text that people read and write.
 *
 * One directive a line, words between spaces; "\s" is a space within a word, "\n", "\t",
 * "\\" and "\xNN" are what they are in C, '#' starts a comment. A commit is one hex digit
 * (forty times itself); a content is any word: its id and its ETag are those that git and S3
 * give to these bytes.
 *
 *   config                       crc.yml follows, up to "end"
 *   head b                       the commit that is planned
 *   offline | now SECONDS | max-paths N | max-wildcards N | max-delete N
 *   note note|warning WORDS      a note that others make before the plan
 *   backend NAME                 what follows is about this backend, in the order of deploys:
 *     knows live|absent|paths    default: live; absent: there is no stack; paths: git alone
 *     knows later OTHER          it takes an output of OTHER that is not known yet
 *     template WANTED LIVE       its text as it would be sent, and as it is live
 *     parameter NAME WANTED LIVE LIVE: a value, or "absent"
 *     status STATUS              of the stack, and not a good one
 *     drifted FUNCTION           it runs code that somebody else has put there
 *     code WANTED LIVE           of a function; WANTED: "absent" before it is built
 *     changed N PATH             files, and the first of them
 *     latest SHA UPDATE          what a function would publish, how its update ended
 *     left-set                   a change set of a deploy that died
 *     no-base | newer            nothing to compare with; a newer commit is deployed
 *     output NAME VALUE          known before the deploy; "!output" takes it
 *     new-output NAME VALUE      known afterwards
 *     preview [CHANGE]           what a change set would do; once for each change
 *     became created|updated|confirmed|failed [MILLISECONDS]
 *     change CHANGE              what CloudFormation did: ACTION NAME TYPE [REPLACEMENT]
 *     version N | repaired N     of a function's alias; functions whose code was put right
 *     reason WORDS               why it failed
 *   site NAME                    what follows is about this site of the configuration:
 *     knows state|nothing|git    default: state
 *     deployed a                 the commit that is recorded (git: that is compared with)
 *     why WORDS                  why it is compared with that
 *     file PATH CONTENT          of the head
 *     many N LINE                LINE so often, with 1, 2, ... N for each '%'
 *     object PATH CONTENT [MARK] recorded as deployed (git: in the base)
 *     retired PATH CONTENT SINCE [MARK]
 *     mutable PATH
 *     journal c [everything]     an unfinished deploy of c, whose touches follow:
 *       put PATH FROM TO [parts] [MARK]
 *                                FROM: a content or "absent"
 *       copy PATH CONTENT [MARK]
 *       delete PATH FROM
 *     live PATH CONTENT          looked at in the bucket; "absent": not there
 *     listed | audit             the whole bucket was looked at
 *     recorded ID                a distribution that the state names
 *     distribution ID [unknown]  one that is configured, whose settings follow:
 *       root NAME
 *       behavior PATTERN [ours|elsewhere] [origin=PATH] [query] [website] [rewrites]
 *       error STATUS PAGE SECONDS
 *     neighbour NAME             another site of this text on the same distributions
 *   done | planned | nothing | partial N | failed [N] | refused | unverified |
 *   superseded d WORDS           how it ended; N steps were done before one failed
 *   fails-with CODE WORDS | took MILLISECONDS | late WORDS (a warning while it ran)
 *
 * Without MARK, an object has the headers that today's rules give it; "other-headers": not
 * these; "no-headers": not known; "no-etag" (of an object): neither is its ETag. */
#ifndef FAKE_PLAN_CASE_H
#define FAKE_PLAN_CASE_H

#include "base/arena.h"
#include "core/outcome.h"
#include "core/plan.h"

enum { CASE_SITES = 4, CASE_VIEWERS = 4, CASE_BACKENDS = 4, CASE_PARAMETERS = 4 };

struct case_site {
	struct state state;
	struct viewer viewers[CASE_VIEWERS];
	struct neighbour neighbours[CASE_SITES];
};

struct case_backend {
	struct backend_parameter parameters[CASE_PARAMETERS];
	struct str_list drifted;
	struct stack_output_list outputs; /* the first n_known are known before */
	size_t n_known;
	bool previewed;
	struct resource_list preview;
	enum backend_status became;
	struct resource_list changes;
	int64_t took_ms;
	int64_t repaired;
	const char *version;
	const char *error;
};

struct plan_case {
	struct arena arena;
	struct config config;
	struct plan_options options;
	struct note_list notes;
	struct site_input inputs[CASE_SITES];
	struct case_site sites[CASE_SITES];
	size_t n_sites;
	struct backend_input backend_inputs[CASE_BACKENDS];
	struct case_backend backends[CASE_BACKENDS];
	size_t n_backends;
	size_t steps_done;      /* before one failed */
	struct outcome outcome; /* the plan is in it */
};

/* Reads a text and builds the plan and the outcome. -1: ERR_DATA with the line. */
int plan_case_read(struct plan_case *c, const char *text, struct error *err);
void plan_case_release(struct plan_case *c);

/* The ETag that S3 gives to a content, in the case's arena. */
const char *plan_case_etag(struct plan_case *c, const char *content);

#endif
