/* Random numbers that a seed repeats: splitmix64. */
#pragma once
#include "lib/base/base.h"

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* From 0 to below n. */
static inline uint64_t random_below(struct random *r, uint64_t n)
{
	return (uint64_t)((unsigned __int128)random_next(r) * n >> 64);
}

/* From 0 to below 1. */
static inline double random_share(struct random *r)
{
	return (double)(random_next(r) >> 11) * 0x1p-53;
}
