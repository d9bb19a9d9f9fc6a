/*
 * Who did something, as one: numbers of the web (visitors, persons) and leads, of which any may be the same.
 *
 * Subjects are numbered from 0 as they are met. First whoever is the same is joined, then subjects are asked
 * for: joining afterwards would make two of one that were told already.
 */
#ifndef LA_ENGAGEMENT_SUBJECT_H
#define LA_ENGAGEMENT_SUBJECT_H

#include "postgres.h"

#include "rollup/trail.h"

typedef struct LaSubjects LaSubjects;

typedef enum LaWho
{
	LA_WEB,
	LA_LEAD,
} LaWho;

extern LaSubjects *engagement_subjects(void); /* nobody yet, in CurrentMemoryContext */
/* Whoever is the same on the web; and leads with their numbers there. As of the active snapshot, SPI
 * connected. */
extern void engagement_join_web(LaSubjects *subjects, int workspace);
extern void engagement_join_leads(LaSubjects *subjects, int workspace);
extern void engagement_join(LaSubjects *subjects, LaWho a, int64 a_number, LaWho b, int64 b_number);
extern void engagement_settle(LaSubjects *subjects);

/* Of points whose tag (step) is odd where the number is a lead's; at most so many. */
#define LA_SUBJECTS_AT_ONCE 1024
extern void engagement_subjects_of(LaSubjects *subjects, const LaPoint *points, int n, int *found);

static inline bool
engagement_is_lead(const LaPoint *point)
{
	return (point->step & 1) != 0;
}

/* The numbers of the web of some subjects. */
extern LaBitmap *engagement_web_numbers(const LaSubjects *subjects, const LaBitmap *of);

extern int engagement_nsubjects(const LaSubjects *subjects); /* no subject's number is so high */

#endif
