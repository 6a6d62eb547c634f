/* mime.h - the content type that a file's name stands for. */
#ifndef CODEC_MIME_H
#define CODEC_MIME_H

#include <stdbool.h>

/* By the name's extension in any case, or by the whole name ("CNAME",
 * "apple-app-site-association"); text is said to be UTF-8. Names that say nothing are
 * "application/octet-stream". Static. */
const char *mime_type(const char *path);

/* What is behind the last dot of the path's last part, without the dot: "js". "" when there
 * is none, also for a name that begins with its only dot. Points into path. */
const char *mime_extension(const char *path);

#endif
