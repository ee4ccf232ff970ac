/* Worker threads for what blocks: disks and checksums. The loop's thread submits jobs; a worker
 * runs each; its `done` runs on the loop's thread again. */
#ifndef SKUA_TOOLS_POOL_H
#define SKUA_TOOLS_POOL_H

#include <stddef.h>

struct ev_loop;
struct skua_pool;

/* Embedded in what it works on; from submit until `done` it belongs to the pool. */
struct skua_job {
    void (*run)(struct skua_job *job);  /* on a worker */
    void (*done)(struct skua_job *job); /* on the loop's thread; may submit or free the job */
    void *user;                         /* the owner's */
    struct skua_job *next;              /* the pool's */
};

/* Starts `threads` workers (0 = one per processor, at least 2, at most 8), in which all signals are
 * blocked. NULL where the system has no thread or memory left. */
struct skua_pool *skua_pool_new(struct ev_loop *loop, size_t threads);
/* Ends the workers. No job may be under way. NULL is allowed. */
void skua_pool_free(struct skua_pool *pool);

void skua_pool_submit(struct skua_pool *pool, struct skua_job *job);
/* Waits until every job is done, those that `done` submits included. For the end of a program: the
 * loop does not run meanwhile. */
void skua_pool_drain(struct skua_pool *pool);

#endif
