/* address.h - IP addresses and the networks they are in. Pure. */
#ifndef DAEMON_ADDRESS_H
#define DAEMON_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { ADDRESS_MAX = 64 };

/* "192.0.2.0/24", "2001:db8::/32", or one address. */
bool address_is_network(const char *text);
/* Whether that is written by its first address: all bits behind the network's are zero. */
bool address_begins_network(const char *text);
/* Whether an address is in one of the networks. IPv4-mapped IPv6 addresses count as IPv4. */
bool address_in(const char *address, const struct str_list *networks);

/* Who sent a request: the peer, or, when that is a trusted proxy, the rightmost address of
 * X-Forwarded-For (forwarded; may be NULL) that is none. What is no address ends the search:
 * then it is the last proxy that was. Written to out. */
void address_of_client(const char *peer, const char *forwarded,
		       const struct str_list *trusted, char out[ADDRESS_MAX]);

/* What requests of one sender are counted by: an IPv4 address, or the /64 of an IPv6 one, in
 * which a single machine has all addresses for itself (RFC 4291 section 2.5.1). Written to
 * out. */
void address_party(const char *address, char out[ADDRESS_MAX]);

#endif
