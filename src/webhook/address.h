/*
 * Which addresses a webhook may lead to. Private to this room.
 */
#ifndef LA_WEBHOOK_ADDRESS_H
#define LA_WEBHOOK_ADDRESS_H

#include <sys/socket.h>

/*
 * Whether it is an address of the public internet: not of this machine, its network or a network's own
 * use, nor one that stands for such an address (v4 within v6). Only what is known to be public is.
 */
extern bool la_address_public(const struct sockaddr *address);

#endif
