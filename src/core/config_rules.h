/* config_rules.h - what the single settings may look like.
 *
 * config_bad_X: NULL when the text will do as X, else what is wrong with it, to be read
 * behind the setting's name. Static. */
#ifndef CORE_CONFIG_RULES_H
#define CORE_CONFIG_RULES_H

#include <stdint.h>

#include "base/arena.h"

const char *config_bad_name(const char *text);   /* a site's or backend's */
const char *config_bad_path(const char *text);   /* normalised; a folder or file */
const char *config_bad_file(const char *text);   /* the same, and not the root */
const char *config_bad_prefix(const char *text); /* normalised */
const char *config_bad_bucket(const char *text);
const char *config_bad_distribution(const char *text);
const char *config_bad_url(const char *text);
const char *config_bad_region(const char *text);
const char *config_bad_stack(const char *text);
const char *config_bad_function(const char *text); /* a name or an ARN */
const char *config_bad_alias(const char *text);
const char *config_bad_output(const char *text); /* of a template, or its parameter */
const char *config_bad_variable(const char *text);
const char *config_bad_capability(const char *text);
const char *config_bad_file_name(const char *text);
const char *config_bad_command(const char *text);
const char *config_bad_header(const char *name);     /* lower case */
const char *config_nearest_header(const char *name); /* of those that S3 has names for */
const char *config_bad_header_value(const char *name, const char *value);

/* Without "." and empty segments and slashes at the ends; "" stands for the root. A slash
 * in front and ".." stay, for config_bad_path to refuse. */
const char *config_normal_path(struct arena *arena, const char *text);
/* Without slashes in front, with one at the end unless it is "". */
const char *config_normal_prefix(struct arena *arena, const char *text);

/* "7d", "12h", "30m" or "0" in seconds; -1: none of these, or over ten years. */
int64_t config_duration_s(const char *text);

#endif
