/*
 * What form.c and form_part.c share.
 */
#ifndef LA_FORM_PART_H
#define LA_FORM_PART_H

#include "nodes/pg_list.h"

/* Set a field of the form (a List of LaPair); false with *error when it is too much. Keeps both texts. */
extern bool la_form_add(List **fields, const char *name, const char *value, const char **error);

/* The fields of a multipart/form-data body without a byte 0; false with *error when it is none. */
extern bool la_form_parts(const char *content_type, const char *body, int length, List **fields,
                          const char **error);

#endif
