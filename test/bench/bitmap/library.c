/*
 * What libroaring takes for the unions of bench bitmap: sets in its portable form, in memory, made live by
 * roaring_bitmap_portable_deserialize_safe (which checks lengths alone), united by the fastest way that it
 * has for them (lazily in place; or_many is the same within a few %, or_many_heap up to ten times slower).
 */
#include <roaring/roaring.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t state = 88172645463325252;

static uint32_t
draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int
ascending(const void *a, const void *b)
{
	return *(const double *) a < *(const double *) b ? -1 : 1;
}

static void
measure(int many, uint32_t size, uint32_t domain)
{
	char **bytes = malloc(many * sizeof *bytes);
	size_t *length = malloc(many * sizeof *length);
	double total = 0, making[21], uniting[21];

	for (int i = 0; i < many; i++)
	{
		roaring_bitmap_t *set = roaring_bitmap_create();

		for (uint32_t n = 0; n < size; n++)
			roaring_bitmap_add(set, draw(domain));
		roaring_bitmap_run_optimize(set);
		length[i] = roaring_bitmap_portable_size_in_bytes(set);
		bytes[i] = malloc(length[i]);
		roaring_bitmap_portable_serialize(set, bytes[i]);
		roaring_bitmap_free(set);
		total += length[i];
	}
	for (int round = 0; round < 21; round++)
	{
		double begun = now();
		roaring_bitmap_t *all = roaring_bitmap_create();
		double in_making = 0;

		for (int i = 0; i < many; i++)
		{
			double before = now();
			roaring_bitmap_t *set = roaring_bitmap_portable_deserialize_safe(bytes[i], length[i]);

			in_making += now() - before;
			roaring_bitmap_lazy_or_inplace(all, set, true);
			roaring_bitmap_free(set);
		}
		roaring_bitmap_repair_after_lazy(all);
		if (roaring_bitmap_get_cardinality(all) == 0)
			exit(1);
		roaring_bitmap_free(all);
		uniting[round] = now() - begun;
		making[round] = in_making;
	}
	qsort(making, 21, sizeof *making, ascending);
	qsort(uniting, 21, sizeof *uniting, ascending);
	printf("%d %u %u %.2f %.0f %.0f\n", many, size, domain, total / 1e6, making[0], uniting[0]);
	for (int i = 0; i < many; i++)
		free(bytes[i]);
	free(bytes);
	free(length);
}

int
main(void)
{
	static const uint32_t domains[] = {500000, 5000000};
	static const uint32_t sizes[] = {100, 1000, 10000, 50000, 300000};
	static const int many[] = {30, 90, 400};

	for (int d = 0; d < 2; d++)
		for (int s = 0; s < 5; s++)
			for (int m = 0; m < 3; m++)
				if (many[m] <= (sizes[s] < 50000 ? 400 : sizes[s] == 50000 ? 90 : 30))
					measure(many[m], sizes[s], domains[d]);
	return 0;
}
