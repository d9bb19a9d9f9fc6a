/*
 * The fields of a posted form, whatever its content type: JSON, urlencoded, multipart/form-data, and
 * text/plain, which browsers send for a form of that enctype as well as for a beacon that holds JSON.
 */
#ifndef LA_FORM_H
#define LA_FORM_H

/*
 * The fields as a JSON object of texts, in the order they were posted; of a name posted twice the last
 * counts. Numbers and the like of a JSON body are texts as they were written, a file is its name. NULL with
 * *error a short lowercase reason when the body is not what its type says. Never raises for bad input.
 */
extern char *la_form_json(const char *content_type, const char *body, int length, const char **error);

#endif
