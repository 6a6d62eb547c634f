/* daemon_job job ... - the part of crc-daemon that runs in a deploy's child, alone. */
#include <string.h>

#include "daemon/job.h"

int main(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "job") == 0 ? job_main(argc - 1, argv + 1) : 2;
}
