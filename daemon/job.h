/* job.h - `crc-daemon job`: what a deploy's child does before it becomes crc-action.
 *
 *   crc-daemon job --config FILE [--folder DIR] --site NAME [--head COMMIT] [--rollback] [--tip]
 *
 * Limits itself, fetches the branch into STATE/mirrors/SITE, checks it out to STATE/builds/SITE and
 * builds there if the site has a `build`, and executes crc-action. Relative paths of the file are
 * from DIR, if it is given. On stdout are joblog.h's events;
 * when it fails, a `result` as crc-action has it (docs/json.md), and the exit status is the
 * same as crc-action's. What the build prints goes to stderr.
 *
 * The commit is what the branch is at after the fetch; with --head it is that one, which must be in the
 * mirror. --rollback: it may be older than what is deployed. --tip: only prints the branch's
 * commit at the remote. */
#ifndef DAEMON_JOB_H
#define DAEMON_JOB_H

/* argv[0] is the word "job". Returns the exit status, or not at all. For a process with one thread. */
int job_main(int argc, char **argv);

#endif
