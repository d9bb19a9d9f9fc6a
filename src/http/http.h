/*
 * The door: every HTTP request comes in through one of two SQL functions, handle_ro and handle_rw,
 * and leaves with a status, headers and a body in the shape of its contract family.
 */
#ifndef LA_HTTP_H
#define LA_HTTP_H

extern void la_http_init(void);

#endif
