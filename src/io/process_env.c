#include "io/process.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

const char *const process_env_private[] = {
	"AWS_*", "ACTIONS_*", "GITHUB_*", "INPUT_*", "CRC_*", NULL,
};

static bool names(const char *pattern, const char *variable)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return strncmp(variable, pattern, n - 1) == 0;
	return strncmp(variable, pattern, n) == 0 && variable[n] == '=';
}

static bool any_names(const char *const *patterns, const char *variable)
{
	for (; *patterns; patterns++)
		if (names(*patterns, variable))
			return true;
	return false;
}

static size_t count(char *const *env)
{
	size_t n = 0;

	while (env[n])
		n++;
	return n;
}

char **process_env_without(char *const *env, const char *const *patterns)
{
	char **copy = xcalloc(count(env) + 1, sizeof(*copy));
	size_t n = 0;

	for (; *env; env++)
		if (!any_names(patterns, *env))
			copy[n++] = xstrdup(*env);
	return copy;
}

char **process_env_set(char **env, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 2;
	char *variable = xmalloc(size);
	size_t n = count(env);

	snprintf(variable, size, "%s=%s", name, value);
	for (size_t i = 0; i < n; i++) {
		if (names(name, env[i])) {
			free(env[i]);
			env[i] = variable;
			return env;
		}
	}
	env = xreallocarray(env, n + 2, sizeof(*env));
	env[n] = variable;
	env[n + 1] = NULL;
	return env;
}

void process_env_free(char **env)
{
	for (size_t i = 0; env && env[i]; i++)
		free(env[i]);
	free(env);
}

const char *process_env_get(char *const *env, const char *name)
{
	for (; *env; env++)
		if (names(name, *env))
			return strchr(*env, '=') + 1;
	return NULL;
}
