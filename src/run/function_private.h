/* function_private.h - what the parts of function share. */
#ifndef RUN_FUNCTION_PRIVATE_H
#define RUN_FUNCTION_PRIVATE_H

#include "run/function.h"
#include "run/poll.h"

/* One deploy of a function. */
struct function_job {
	const struct function_options *options;
	const struct function_code *code;
	struct arena *arena;
	struct function_result *out;
	struct poll poll;
	const char *region; /* where the function is */
	bool sent; /* something may have changed by now: answers are waited for */
};

/* What an alias points to. */
struct function_target {
	const char *version;
	bool is_current; /* with the code that is deployed */
};

/* Reads the function, or what the qualifier (NULL: none) names, until nobody is changing it. */
int function_read(struct function_job *j, const char *qualifier,
		  struct lambda_function *now, struct error *err);
/* Sends, patiently once something was sent. 409 ("being changed") is waited out. */
int function_send(struct function_job *j, struct aws_request *req,
		  struct http_response *res, struct error *err);
/* Pauses while somebody is changing it; why is told. -1: ERR_TIMEOUT, and as poll_wait. */
int function_pause(struct function_job *j, const char *why, struct error *err);

/* ERR_NOT_FOUND: there is no such alias. */
int function_alias_look(struct function_job *j, struct function_target *out,
			struct error *err);
/* Publishes the code and has the alias point to it. */
int function_alias_move(struct function_job *j, const struct function_target *from,
			struct error *err);

#endif
